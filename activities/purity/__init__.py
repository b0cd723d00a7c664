"""The arrays."""
