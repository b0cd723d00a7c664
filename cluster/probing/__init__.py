"""A probe of a site: what is kept of its answers, under which names, and the bundle that holds them. Pure."""
