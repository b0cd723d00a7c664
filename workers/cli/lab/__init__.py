"""`quorate lab`: the twin."""
