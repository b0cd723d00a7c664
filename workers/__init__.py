"""Processes: the worker, the embedded mode, the command line, and what they start from."""
