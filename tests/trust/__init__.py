"""How endpoints are recognised: certificates and host keys as they are found, pinned, named or unknown."""
