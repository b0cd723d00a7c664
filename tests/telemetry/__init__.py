"""One trace per run: its spans as a tree, and that each ends once."""
