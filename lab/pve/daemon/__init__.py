"""The HTTP daemon of a node: everything between the socket and a handler."""
