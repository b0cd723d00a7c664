"""Nodes and the witness, over SSH."""
