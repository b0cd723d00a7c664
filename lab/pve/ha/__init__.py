"""The HA stack: a CRM and an LRM on each node, and what a master decides."""
