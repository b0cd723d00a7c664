"""`quorate doctor`: what stands in the way of a first run, one line for each thing, before anything is changed."""
