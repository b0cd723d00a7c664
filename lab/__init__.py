"""The twin: the outside world on loopback.

Two FlashArrays, the nodes of a Proxmox VE cluster and a witness, speaking their real protocols.
It knows nothing of the engine; of our own code it imports only the domain.
"""
