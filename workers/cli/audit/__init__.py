"""`quorate audit`: records of runs listed, taken out, verified without a network, and explained."""
