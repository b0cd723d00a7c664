"""The board: one read-only page for a wall or a phone."""
