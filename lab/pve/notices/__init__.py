"""Notifications: what is configured, whom an event concerns, the sending."""
