"""Temporal: how it is reached, what a namespace needs, and the embedded server."""
