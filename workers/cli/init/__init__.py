"""`quorate init`: an inventory of a cluster that exists, from what it and its arrays tell."""
