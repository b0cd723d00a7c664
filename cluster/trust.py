"""How a TLS endpoint is recognised, and until when what it shows is good. Pure.

An endpoint is known by its signer (`ca`), or by the certificate itself (`fingerprint`). A pin is the stricter of the
two, so it decides alone where both are there: exactly that certificate, whatever name and signer stand in it. A pinned
certificate that has ended is still accepted, and people are told: the pin says whose key it is, which a date cannot
make less true, and an incident is no time to lose sight of a cluster over one.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from cluster.addresses import netloc, split
from cluster.inventory import Array, Bmc, Inventory, Node
from cluster.nouns import Value

# Long enough for a change window; PVE renews a node's own certificate by itself two weeks before its end
# (pveupdate, `bin/pveupdate` of pve-manager).
SOON = timedelta(days=30)
HTTPS, SSH = 443, 22

Kind = Literal["array", "node", "controller"]
Location = tuple[str | int, ...]

# How the field that names a signer is called.
_CA = {"array": "arrays.ca", "node": "api.ca", "controller": "bmc.ca"}
_PIN = {"array": "arrays.fingerprint", "node": "fingerprint of the node", "controller": "bmc.fingerprint"}
_NAME = {"array": "arrays.server_name", "node": "server_name of the node", "controller": "bmc.server_name"}
_RENEW = {
    "array": "renew it on the array",
    "node": "renew it on that node (pvecm updatecerts --force, then systemctl restart pveproxy)",
    "controller": "renew it on the management controller",
}


class Trust(Value):
    """What is known of one endpoint: `who` it is for people, where it is, and by what it is recognised."""

    kind: Kind
    who: str
    host: str
    port: int
    ca: str | None = None
    fingerprints: tuple[str, ...] = ()
    server_name: str | None = None

    @property
    def ca_field(self) -> str:
        """The inventory's field that names the signer."""
        return _CA[self.kind]

    @property
    def pin_field(self) -> str:
        """The inventory's field that holds the fingerprints."""
        return _PIN[self.kind]

    @property
    def name_field(self) -> str:
        """The inventory's field with the name that the certificate is made for."""
        return _NAME[self.kind]

    @property
    def renewal(self) -> str:
        """What a person does about a certificate that ends."""
        return _RENEW[self.kind]

    @property
    def by(self) -> str:
        """By what the inventory recognises it, for people."""
        if self.fingerprints:
            return "pinned"
        return f"signed by {self.ca}" if self.ca else "signed by an authority of this machine"


class Certificate(Value):
    """What an endpoint shows. `fingerprint` is the SHA-256 in the inventory's spelling; both dates are in UTC."""

    fingerprint: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    signed_itself: bool


def of_array(array: Array) -> Trust:
    """An array's management API."""
    host, port = split(array.address)
    return Trust(
        kind="array", who=array.name, host=host, port=port or HTTPS,
        ca=array.ca, fingerprints=array.fingerprint, server_name=array.server_name,
    )  # fmt: skip


def of_node(inventory: Inventory, name: str) -> Trust:
    """A node's API: the node's own fingerprint and name go before what `api` says of all nodes."""
    node, api = inventory.node(name), inventory.api
    return Trust(
        kind="node", who=name, host=node.address, port=api.port, ca=api.ca,
        fingerprints=node.fingerprint or api.fingerprint, server_name=node.server_name or api.server_name,
    )  # fmt: skip


def of_controller(bmc: Bmc, who: str = "") -> Trust:
    """A management controller; without `who` it is called by its address."""
    host, port = split(bmc.address)
    return Trust(
        kind="controller", who=who or bmc.address, host=host, port=port or HTTPS,
        ca=bmc.ca, fingerprints=bmc.fingerprint, server_name=bmc.server_name,
    )  # fmt: skip


def endpoints(inventory: Inventory) -> Iterator[tuple[Location, Trust]]:
    """Every TLS endpoint with its part of the inventory, in the order of the file: nodes, their controllers, arrays."""
    places: list[tuple[Location, tuple[Node, ...]]] = [
        (("sites", number), site.nodes) for number, site in enumerate(inventory.sites)
    ]
    if inventory.third:
        places.append((("third",), inventory.third.nodes))
    for where, nodes in places:
        for n, node in enumerate(nodes):
            place: Location = (*where, "nodes", n)
            yield place, of_node(inventory, node.name)
            if node.bmc is not None and node.bmc.protocol == "redfish":  # IPMI has no certificates
                yield (*place, "bmc"), of_controller(node.bmc, f"management controller of {node.name}")
    for a, array in enumerate(inventory.arrays):
        yield ("arrays", a), of_array(array)


def ending(trust: Trust, shown: Certificate, now: datetime) -> str:
    """That a certificate has ended or will soon, with the remedy; empty while there is time.

    It says the date and no days: whoever compares it with what was said yesterday finds the same.
    """
    left = shown.ends - now
    if left > SOON:
        return ""
    at = f"{trust.who} at {netloc(f'[{trust.host}]' if ':' in trust.host else trust.host)}"
    pinned = "; it is pinned, so Quorate still connects" if trust.fingerprints else ""
    again = f", then write the new one with `quorate trust {trust.host}`" if trust.fingerprints else ""
    when = f"{shown.ends:%Y-%m-%d}"
    if left <= timedelta(0):
        return f"{at}: its certificate has ended on {when}{pinned}; {trust.renewal}{again}"
    return f"{at}: its certificate ends on {when}; {trust.renewal}{again}"


class HostKey(Value):
    """A host's public key as it stands in known_hosts: `kind` and `data`; `fingerprint` as OpenSSH prints it."""

    kind: str
    data: str
    fingerprint: str

    def line(self, host: str, port: int) -> str:
        """Its line of a known_hosts file."""
        return f"{host if port == SSH else f'[{host}]:{port}'} {self.kind} {self.data}"
