"""The control plane: drills, scenarios, and the picture of the world."""
