"""How guests and HA are told."""
