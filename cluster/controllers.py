"""What the fields of a `bmc` may not say together: IPMI has no certificates, and its names and accounts are short."""

from collections.abc import Iterator

from cluster.inventory import Bmc, Inventory
from cluster.places import Location, Problem, places

# Where each protocol answers, unless the address says otherwise: HTTPS, and RMCP over UDP.
IPMI_PORT = 623
PORTS = (443, IPMI_PORT)
# What IPMI 2.0 takes for the name of a user, in bytes (§22.28).
USER_BYTES = 16

_NONE = "IPMI has no certificates: what proves who answers is the password, which both sides have to know"
_WITHOUT = {
    "ca": _NONE,
    "fingerprint": _NONE,
    "server_name": _NONE,
    "system": "an IPMI controller is one machine's: give each node the address of its own",
}


def problems(inventory: Inventory) -> Iterator[Problem]:
    """Where a `bmc` says what its protocol does not know, and what to do about it."""
    for at, stands in places(inventory):
        for n, node in enumerate(stands.nodes):
            if node.bmc is not None and node.bmc.protocol == "ipmi":
                place: Location = (*at, "nodes", n, "bmc")
                yield from (((*place, field), said) for field, said in _of(node.bmc))


def _of(bmc: Bmc) -> Iterator[tuple[str, str]]:
    for field, why in _WITHOUT.items():
        if getattr(bmc, field):
            yield field, f"{why}; remove {field}, or use protocol redfish"
    if len(bmc.user.encode()) > USER_BYTES or not bmc.user:
        yield "user", f"IPMI takes names of 1 to {USER_BYTES} bytes: choose another account at {bmc.address}"
