"""The inventory as a document: what was seen stands in it, what nobody tells is left open. Pure.

A value that is left open is an `Open`: it says what is meant and where it is found, and may have a proposal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.addresses import Address
from cluster.alignment import lowest
from cluster.nouns import GroupName, Iqn, Lun, Nqn, PurityName, SecretRef, StorageId, Vmid, Wwn
from cluster.transports import FIELDS, Transport
from cluster.units import Size
from workers.cli.init.choice import Pods, Storages, shown_by
from workers.cli.init.seen import HaGuest, Member, SeenArray, SeenCluster, SeenVolume
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
    third_name: str
    template: int | None
    allowed_signers: str
    array_tokens: tuple[str, str]


@dataclass(frozen=True)
class Chosen:
    """What is taken of what was seen; empty where there is nothing yet.

    `initiators` are by what the arrays are to know each node; `prefers` is the array that the pods prefer; `pins` has
    the fingerprints of certificates that a person has said yes to, by node and by array.
    """

    halves: Halves
    third: tuple[str, ...] = ()
    transport: Transport = "iscsi"
    pods: Pods = field(default_factory=dict)
    storages: Storages = ()
    initiators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prefers: str | None = None
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def site_nodes(self) -> tuple[str, ...]:
        """The nodes of both sites."""
        return (*self.halves[0], *self.halves[1])

    @property
    def volumes(self) -> list[str]:
        """Every volume by its full name."""
        return [f"{pod}::{one.name}" for pod, of in self.pods.items() for one in of]


def document(cluster: SeenCluster, arrays: Sequence[SeenArray], chosen: Chosen, given: Given) -> Document:
    """The whole inventory, in the order of the file."""
    made: Document = {
        "name": cluster.name,
        **({"transport": chosen.transport} if chosen.transport != "iscsi" else {}),
        "sites": [
            {"name": name, "array": array.name, "nodes": _nodes(cluster, half, chosen)}
            for name, array, half in zip(given.site_names, arrays, chosen.halves, strict=True)
        ],
        "arrays": [
            _array(array, token, cluster, chosen, given)
            for array, token in zip(arrays, given.array_tokens, strict=True)
        ],
        **_decider(cluster, chosen, given),
        "api": {"token_id": given.token_id, "token": given.token} | _optional(port=given.port, ca=given.pve_ca),
        "ssh": _optional(port=given.ssh_port)
        | {
            "key": given.ssh_key or Open("private key of root on all hosts, as file:PATH or env:NAME", SecretRef),
            "known_hosts": given.known_hosts or Open("file with the host keys of all nodes and the witness", str),
        },
        **carriers(cluster, arrays, chosen),
    }
    if guests := [guest for guest in cluster.guests if _is_ours(guest, chosen)]:
        made["guests"] = [_guest(guest, given.template, cluster.templates, chosen) for guest in guests]
    if cluster.ha:
        made["ha"] = {**cluster.ha, "failback": bool(cluster.ha["failback"])}
    made["approvals"] = {"needed": 2, "within": "12h", "allowed_signers": given.allowed_signers}
    return made


def _decider(cluster: SeenCluster, chosen: Chosen, given: Given) -> Document:
    """What decides between the sites: the nodes of a third place, else a witness."""
    if chosen.third:
        return {"third": {"name": given.third_name, "nodes": _nodes(cluster, chosen.third, chosen)}}
    name, address = given.witness[0], given.witness[1] or cluster.witness
    hint = "address of the host at the third place, with corosync-qnetd"
    return {"witness": {"name": name, "address": address or Open(hint, Address)}}


def _optional(**values: Any) -> Document:
    """What is not the inventory's own default."""
    defaults = {"port": (8006, 22), "ca": (None,)}
    return {name: value for name, value in values.items() if value not in defaults[name]}


def _nodes(cluster: SeenCluster, names: Sequence[str], chosen: Chosen) -> list[Document]:
    members = {node.name: node for node in cluster.nodes}
    own = _links_to_state(cluster)
    return [_node(members[name], chosen, own) for name in names]


def _links_to_state(cluster: SeenCluster) -> bool:
    """Corosync's links are written where they are not the nodes' own addresses, and the file can hold them."""
    counts = {len(node.links) for node in cluster.nodes}
    apart = any(node.links and node.links[0] != node.address for node in cluster.nodes)
    return apart and counts in ({1}, {2}) and all(all(node.links) for node in cluster.nodes)


def _node(node: Member, chosen: Chosen, links: bool) -> Document:
    known: Document = {"name": node.name, "address": node.address}
    if node.name not in chosen.third:
        known |= _initiators(node.name, chosen)
    if pin := chosen.pins.get(node.name):
        known["fingerprint"] = pin
    if links:
        known["links"] = list(node.links)
    return known


def _initiators(node: str, chosen: Chosen) -> Document:
    """By what the arrays know it, in the field of its transport."""
    name, what, where = FIELDS[chosen.transport]
    found = list(chosen.initiators.get(node, ()))
    if chosen.transport == "fc":
        return {name: found or Open(f"list of {what} in {where} of {node}", tuple[Wwn, ...])}
    kind: Any = Iqn if chosen.transport == "iscsi" else Nqn
    return {name: found[0] if found else Open(f"{what} in {where} of {node}", kind)}


def _array(array: SeenArray, token: str, cluster: SeenCluster, chosen: Chosen, given: Given) -> Document:
    hint = f"host group of the nodes on {array.name}; {DEPLOYED}"
    found: Document = {
        "name": array.name,
        "address": array.address,
        "api_token": token,
        "host_group": _group(array, chosen) or Open(hint, PurityName, cluster.name),
    }
    if pin := chosen.pins.get(array.name):
        found["fingerprint"] = pin
    return found | _optional(ca=given.array_ca)


def _group(array: SeenArray, chosen: Chosen) -> str | None:
    """The one group that the array shows the volumes to."""
    shown = [
        shown_by(array, chosen.site_nodes, pod, one.name) for pod, volumes in chosen.pods.items() for one in volumes
    ]
    groups = {one[0] for one in shown if one}
    return groups.pop() if len(groups) == 1 else None


def carriers(cluster: SeenCluster, arrays: Sequence[SeenArray], chosen: Chosen) -> Document:
    """Pods and storages: one of each in the short spelling, several in the other one."""
    pods = _pods(cluster, arrays, chosen)
    storages: list[Document] = [
        {"id": name, "vg": vg} | ({"volume": volume} if volume else {}) for name, vg, volume in chosen.storages
    ]
    volumes = chosen.volumes
    if len(volumes) <= 1:
        return {"pod": pods[0], "storage": _only(cluster, storages)}
    on = [one.get("volume") for one in storages]
    if storages and not any(on):
        hint = f"volume that carries {{}} (`pvs` on a node, and the volumes' serials): one of {', '.join(volumes)}"
        storages = [one | {"volume": Open(hint.format(one["vg"]), str)} for one in storages]
        volumes = volumes[len(storages) :]
    for volume in volumes:
        if volume not in on:
            storages.append(_new_storage(f"{cluster.name}-{volume.rpartition('::')[2]}") | {"volume": volume})
    return {"pods": pods, "storages": storages}


def _only(cluster: SeenCluster, storages: Sequence[Document]) -> Document:
    found = storages[0] if storages else _new_storage(cluster.name, "-shared")
    return {name: value for name, value in found.items() if name != "volume"}


def _new_storage(name: str, end: str = "") -> Document:
    return {
        "id": Open(f"id of the shared LVM storage in Proxmox VE; {DEPLOYED}", StorageId, f"{name}{end}"),
        "vg": Open(f"name of its volume group; {DEPLOYED}", GroupName, f"{name}-vg"),
    }


def _pods(cluster: SeenCluster, arrays: Sequence[SeenArray], chosen: Chosen) -> list[Document]:
    made = []
    for pod, volumes in chosen.pods.items():
        known: Document = {"name": pod, "first": arrays[0].name}
        if chosen.prefers:
            known["failover_preference"] = chosen.prefers
        made.append(known | {"volumes": [_volume(arrays, chosen, pod, one) for one in volumes or (None,)]})
    return made or [_new_pod(cluster, arrays, chosen)]


def _new_pod(cluster: SeenCluster, arrays: Sequence[SeenArray], chosen: Chosen) -> Document:
    """A pod that is to be made: it prefers the site that corosync's tie-breaker prefers (`cluster.alignment`)."""
    known: Document = {"name": Open(f"name of the stretched pod; {DEPLOYED}", PurityName), "first": arrays[0].name}
    ids = {node.name: node.number for node in cluster.nodes if node.number}
    beside = {
        node: array.name for array, half in zip(arrays, chosen.halves, strict=True) for node in half
    }  # fmt: skip
    if not chosen.third and (prefers := lowest(beside, ids)):
        known["failover_preference"] = prefers
    return known | {"volumes": [_volume(arrays, chosen, None, None)]}


def _volume(arrays: Sequence[SeenArray], chosen: Chosen, pod: str | None, volume: SeenVolume | None) -> Document:
    known: Document = {
        "name": volume.name if volume else Open(f"name of its volume; {DEPLOYED}", PurityName),
        "size": exactly(volume.size) if volume else Open("size of the volume, for example 10TiB", Size),
    }
    if chosen.transport == "nvme-tcp":
        return known  # the arrays number namespaces themselves
    return known | {"luns": {array.name: _lun(array, chosen, pod, volume) for array in arrays}}


def _lun(array: SeenArray, chosen: Chosen, pod: str | None, volume: SeenVolume | None) -> int | Open:
    shown = shown_by(array, chosen.site_nodes, pod, volume.name) if pod and volume else None
    if shown and shown[1]:
        return shown[1]
    free = next((str(lun) for lun in range(1, 4096) if lun not in array.taken), "")
    return Open(f"a LUN from 1 to 4095 that is free on {array.name}", Lun, free)


def _is_ours(guest: HaGuest, chosen: Chosen) -> bool:
    """It is on a storage of the file, and at a site; where no storage is known yet each may be."""
    known = {name for name, _, _ in chosen.storages}
    return guest.node not in chosen.third and (not known or bool(known & guest.storages))


def _guest(guest: HaGuest, template: int | None, templates: Sequence[int], chosen: Chosen) -> Document:
    known = f"templates are {', '.join(map(str, templates))}" if templates else "no guest is a template"
    source = template or (templates[0] if len(templates) == 1 else None)
    found: Document = {"vmid": guest.vmid, "name": guest.name}
    found |= {"template": source or Open(f"id of the guest to clone from; {known}", Vmid), "node": guest.node}
    if guest.cores != 1:
        found["cores"] = guest.cores
    if guest.memory != 2**30:
        found["memory"] = exactly(guest.memory)
    if len(chosen.storages) > 1:
        found["storage"] = next(name for name, _, _ in chosen.storages if name in guest.storages)
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
