"""Management controllers of nodes: power, read and switched."""
