"""A run's trace: its spans as a tree, the critical path through it, where the time went. Pure."""
