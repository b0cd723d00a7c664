"""The machines of the twin over SSH: what their commands print is derived from the world, never canned."""

from lab.hosts.server import serve

__all__ = ["serve"]
