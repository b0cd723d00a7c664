"""Performance, measured: never a test, never a promise."""
