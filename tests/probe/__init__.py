"""A probe of a site, the bundle it writes, and the twin that is built from one."""
