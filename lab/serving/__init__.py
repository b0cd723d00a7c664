"""The twin's servers: sockets, what all HTTPS servers have in common, certificates, credentials."""
