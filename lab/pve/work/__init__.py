"""What a node does: tasks, guests, clones, shutdown, broadcasts."""
