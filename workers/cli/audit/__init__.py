"""`quorate audit`: the records of runs."""
