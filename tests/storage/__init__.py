"""The way of a node to the arrays: portals, interfaces, names, multipath, and what is there again after a reboot."""
