"""The inventory as a document: what was seen stands in it, what nobody tells is left open. Pure.

A value that is left open is an `Open`: it says what is meant and where it is found, and may have a proposal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.addresses import Address
from cluster.nouns import GroupName, Iqn, Lun, PurityName, SecretRef, StorageId, Vmid, Wwn
from cluster.units import Size
from workers.cli.init.choice import shown_by
from workers.cli.init.seen import HaGuest, SeenArray, SeenCluster, SeenVolume
from workers.cli.init.sites import Halves
from workers.inventory_file import FILL_IN

Document = dict[str, Any]
UNITS = (("PiB", 2**50), ("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
DEPLOYED = "choose one, and `quorate run deploy` makes it"


@dataclass(frozen=True)
class Open:
    """A value that no device tells. `kind` is its type in the inventory."""

    hint: str
    kind: Any
    proposal: str = ""

    def __str__(self) -> str:
        return f"{FILL_IN}: {self.hint}"


@dataclass(frozen=True)
class Given:
    """What a person has said with options: references and paths, as they are to stand in the file."""

    token_id: str
    token: str
    pve_ca: str | None
    array_ca: str | None
    port: int
    witness: tuple[str, str | None]
    ssh_key: str | None
    known_hosts: str | None
    ssh_port: int
    site_names: tuple[str, str]
    template: int | None
    allowed_signers: str
    array_tokens: tuple[str, str]


@dataclass(frozen=True)
class Chosen:
    """What is taken of what was seen; None where there is nothing yet."""

    halves: Halves
    pod: str | None
    volume: SeenVolume | None
    storage: tuple[str, str] | None
    iqns: Mapping[str, str]
    wwns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where hosts are known by them alone


def document(cluster: SeenCluster, arrays: Sequence[SeenArray], chosen: Chosen, given: Given) -> Document:
    """The whole inventory, in the order of the file."""
    witness_name, witness_at = given.witness[0], given.witness[1] or cluster.witness
    made: Document = {
        "name": cluster.name,
        **({"transport": "fc"} if chosen.wwns else {}),
        "sites": [
            {
                "name": name,
                "array": array.name,
                "nodes": [_node(cluster, node, chosen) for node in half],
            }
            for name, array, half in zip(given.site_names, arrays, chosen.halves, strict=True)
        ],
        "arrays": [
            _array(array, token, cluster, chosen, given)
            for array, token in zip(arrays, given.array_tokens, strict=True)
        ],
        "witness": {
            "name": witness_name,
            "address": witness_at or Open("address of the host at the third place, with corosync-qnetd", Address),
        },
        "api": {"token_id": given.token_id, "token": given.token} | _optional(port=given.port, ca=given.pve_ca),
        "ssh": _optional(port=given.ssh_port)
        | {
            "key": given.ssh_key or Open("private key of root on all hosts, as file:PATH or env:NAME", SecretRef),
            "known_hosts": given.known_hosts or Open("file with the host keys of all nodes and the witness", str),
        },
        "pod": _pod(arrays, chosen),
        "storage": _storage(cluster, chosen),
    }
    if guests := [guest for guest in cluster.guests if chosen.storage is None or chosen.storage[0] in guest.storages]:
        made["guests"] = [_guest(guest, given.template, cluster.templates) for guest in guests]
    if cluster.ha:
        made["ha"] = {**cluster.ha, "failback": bool(cluster.ha["failback"])}
    made["approvals"] = {"needed": 2, "within": "12h", "allowed_signers": given.allowed_signers}
    return made


def _optional(**values: Any) -> Document:
    """What is not the inventory's own default."""
    defaults = {"port": (8006, 22), "ca": (None,)}
    return {name: value for name, value in values.items() if value not in defaults[name]}


def _node(cluster: SeenCluster, name: str, chosen: Chosen) -> Document:
    known: Document = {"name": name, "address": cluster.addresses[name]}
    if chosen.wwns:
        hint = f"list of WWPNs in /sys/class/fc_host/host*/port_name of {name}"
        return known | {"wwns": list(chosen.wwns.get(name, ())) or Open(hint, tuple[Wwn, ...])}
    where = "InitiatorName in /etc/iscsi/initiatorname.iscsi of"
    return known | {"iqn": chosen.iqns.get(name) or Open(f"{where} {name}", Iqn)}


def _array(array: SeenArray, token: str, cluster: SeenCluster, chosen: Chosen, given: Given) -> Document:
    shown = shown_by(array, chosen.pod, chosen.volume.name) if chosen.pod and chosen.volume else None
    group = (
        shown[0] if shown else Open(f"host group of the nodes on {array.name}; {DEPLOYED}", PurityName, cluster.name)
    )
    found: Document = {"name": array.name, "address": array.address, "api_token": token, "host_group": group}
    return found | _optional(ca=given.array_ca)


def _pod(arrays: Sequence[SeenArray], chosen: Chosen) -> Document:
    volume, luns = chosen.volume, {}
    for array in arrays:
        shown = shown_by(array, chosen.pod, volume.name) if chosen.pod and volume else None
        free = next((str(lun) for lun in range(1, 4096) if lun not in array.taken), "")
        luns[array.name] = shown[1] if shown else Open(f"a LUN from 1 to 4095 that is free on {array.name}", Lun, free)
    return {
        "name": chosen.pod or Open(f"name of the stretched pod; {DEPLOYED}", PurityName),
        "first": arrays[0].name,
        "volumes": [
            {
                "name": volume.name if volume else Open(f"name of its volume; {DEPLOYED}", PurityName),
                "size": exactly(volume.size) if volume else Open("size of the volume, for example 10TiB", Size),
                "luns": luns,
            }
        ],
    }


def _storage(cluster: SeenCluster, chosen: Chosen) -> Document:
    if chosen.storage:
        return {"id": chosen.storage[0], "vg": chosen.storage[1]}
    return {
        "id": Open(f"id of the shared LVM storage in Proxmox VE; {DEPLOYED}", StorageId, f"{cluster.name}-shared"),
        "vg": Open(f"name of its volume group; {DEPLOYED}", GroupName, f"{cluster.name}-vg"),
    }


def _guest(guest: HaGuest, template: int | None, templates: Sequence[int]) -> Document:
    known = f"templates are {', '.join(map(str, templates))}" if templates else "no guest is a template"
    source = template or (templates[0] if len(templates) == 1 else None)
    found: Document = {"vmid": guest.vmid, "name": guest.name}
    found |= {"template": source or Open(f"id of the guest to clone from; {known}", Vmid), "node": guest.node}
    if guest.cores != 1:
        found["cores"] = guest.cores
    if guest.memory != 2**30:
        found["memory"] = exactly(guest.memory)
    return found


def exactly(number: int) -> str | int:
    """Bytes in the largest unit that leaves nothing over: ``10TiB``, ``1536MiB``."""
    return next((f"{number // size}{unit}" for unit, size in UNITS if number and number % size == 0), number)


def left_open(part: Any, place: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Open]:
    """Every value that is left open, with its place, in the order of the file."""
    if isinstance(part, Open):
        return {place: part}
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    found: dict[tuple[str | int, ...], Open] = {}
    for name, value in items:
        found |= left_open(value, (*place, name))
    return found


def filled(part: Any, values: Mapping[tuple[str | int, ...], Any], place: tuple[str | int, ...] = ()) -> Any:
    """The document with these values in place of what was left open."""
    if place in values:
        return values[place]
    if isinstance(part, dict):
        return {name: filled(value, values, (*place, name)) for name, value in part.items()}
    if isinstance(part, list):
        return [filled(value, values, (*place, number)) for number, value in enumerate(part)]
    return part
