"""What the break-glass runbooks are made of: for an emergency that calls for it, with two people, step by step."""
