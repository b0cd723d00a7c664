"""Clients that nobody here wrote, run unmodified against the twin. `make test-clients` installs and runs them."""
