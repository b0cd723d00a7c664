"""The inventory: its shape."""
