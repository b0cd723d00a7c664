"""What is asked of the Proxmox VE API, and changed through it."""
