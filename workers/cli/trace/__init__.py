"""`quorate trace`: the trace of a run as a tree, and where its time went."""
