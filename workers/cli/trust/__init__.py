"""`quorate trust`: what endpoints show, whether the inventory knows it, and writing that down after a yes."""
