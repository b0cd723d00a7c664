"""The twin's HA held against the original: the same random scenarios in both, and what becomes of each service."""
