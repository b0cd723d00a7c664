"""/etc/pve as each node has it: the database, its locks, and who may do what."""
