"""The nodes' management API: Proxmox VE 9.1 as its clients meet it on port 8006.

`urls` routes, `front` is the HTTP daemon, `responses`, `guests`, `storage` and `ha_api` answer, `models` holds the
state and `workers` change it over time. What is not answered is refused by name, never faked.
"""
