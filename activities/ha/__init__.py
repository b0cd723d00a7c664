"""Proxmox HA: what it says, how guests are placed and moved, and the switches that move guests."""
