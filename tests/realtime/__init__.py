"""Tests that take their real time; `make test-realtime` runs them."""
