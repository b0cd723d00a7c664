"""`quorate audit`: records of runs listed, taken out, and verified without a network."""
