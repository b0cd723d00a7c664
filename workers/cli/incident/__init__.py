"""`quorate incident`: which incidents there are, and how one stands."""
