"""What Proxmox VE and both arrays tell. Reads only; each word of a device is told with its option."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from activities.clients.proxmox import PveApi
from activities.clients.purity import FlashArray, Item
from activities.clients.secrets import Secrets
from activities.errors import Unauthorized, Unreachable, Word
from activities.proxmox.rights import rights_at
from cluster.addresses import netloc, split
from cluster.inventory import Api, Array, Inventory, Node, Site, Ssh, Witness
from cluster.nouns import wwn
from workers.cli.init.seen import HaGuest, Member, SeenArray, SeenCluster, SeenHost, SeenVolume
from workers.errors import Unusable

# A person waits for it.
LIMIT = 15.0
MIB = 2**20
# What the clients call a field of the inventory is an option here.
OPTIONS = {
    "api.token_id": "--pve-token-id",
    "the secret that api.token refers to": "what --pve-token refers to",
    "api.token": "--pve-token",
    "api.ca": "--pve-ca",
    "arrays.ca": "--array-ca",
    "correct it in the inventory": "correct it",
}
# A right without which a list is shorter than the truth, where it has to be, and what is missing then.
SIGHT = (("VM.Audit", "/vms", "guests"), ("Datastore.Audit", "/storage", "storages"))


@contextmanager
def told_of(option: str) -> Iterator[None]:
    """A device's refusal or silence as one error with the option it concerns, and with what to do."""
    try:
        yield
    except Word as word:
        text = word.message
        for field, name in OPTIONS.items():
            text = text.replace(field, name)
        what, _, remedy = text.partition("; ")
        remedy = re.sub(r"(quorate trust \S+)$", r"\1 shows it, and --fingerprint SHA256 takes it", remedy)
        what = what if what.startswith(option) else f"{option}: {what}"
        raise Unusable(what, remedy or _otherwise(word)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable(
            f"{option}: what answers there cannot be read ({type(error).__name__}: {str(error)[:80]})",
            "see whether that is the right address",
        ) from None


def _otherwise(word: Word) -> str:
    if isinstance(word, Unreachable):
        return "see whether the address is right, and whether this machine reaches it"
    return "see docs/prepare.md for what the token must be allowed to do" if isinstance(word, Unauthorized) else ""


def endpoint(option: str, given: str) -> str:
    """An address as people have it in their browser: ``https://10.0.0.5:8006/#v1:0`` is ``10.0.0.5:8006``."""
    text = given.strip()
    if text.startswith("https://"):
        text = re.split("[/?#]", text.removeprefix("https://"), maxsplit=1)[0]
    try:
        host, port = split(text)
    except ValueError as error:
        raise Unusable(f"{option} {given!r}: {error}", f"for example {option} https://10.0.0.5") from None
    return netloc(text) if port is not None else host


def provisional(nodes: Mapping[str, str], api: Api | None = None, ssh: Ssh | None = None) -> Inventory:
    """As much of an inventory as a client needs to reach these nodes: it is checked nowhere, and written nowhere."""
    made = tuple(Node.model_construct(name=name, address=address, iqn="") for name, address in nodes.items())
    witness = Witness.model_construct(name="", address="")
    incomplete: Any = {"sites": (Site.model_construct(name="", array="", nodes=made),), "api": api, "ssh": ssh}
    return Inventory.model_construct(**incomplete, witness=witness)


# --- Proxmox VE ----------------------------------------------------------------------------------------------------


def seen_cluster(api_of: Api, host: str, secrets: Secrets) -> SeenCluster:
    """The cluster as the node at `host` tells it; Unusable with the option that is to blame."""
    api = PveApi(provisional({"--pve": host}, api=api_of), secrets, timeout=LIMIT)
    with told_of("--pve"):
        entries = api.get("cluster/status")
        head = next((entry for entry in entries if entry["type"] == "cluster"), None)
        listed = sorted((entry for entry in entries if entry["type"] == "node"), key=lambda entry: str(entry["name"]))
        _must_be_a_cluster(host, head, [str(entry["name"]) for entry in listed])
        links = _links(api)
        ha = [entry for entry in api.get("cluster/ha/resources") if str(entry["sid"]).startswith("vm:")]
        rows = api.get("cluster/resources", type="vm")
        storages = {
            str(one["storage"]): str(one["vgname"])
            for one in api.get("storage")
            if one["type"] == "lvm" and int(one.get("shared") or 0)
        }
        return SeenCluster(
            name=str(head["name"] if head else ""),
            nodes=tuple(_member(entry, links.get(str(entry["name"]), ())) for entry in listed),
            witness=_witness(api),
            storages=storages,
            guests=tuple(_guests(api, ha, rows)),
            templates=tuple(int(row["vmid"]) for row in rows if row["type"] == "qemu" and row.get("template")),
            ha=_policy(ha),
            notes=(*_blind_spots(api), *_single_links(links)),
        )


def _must_be_a_cluster(host: str, head: Any, names: list[str]) -> None:
    if head is None or len(names) < 2:
        raise Unusable(
            f"--pve {host}: {names[0] if names else 'the node'} stands alone, a stretched cluster has two sites",
            "let the nodes form a cluster first: pvecm create, then pvecm add on each other node",
        )


def _member(entry: Item, links: tuple[str, ...]) -> Member:
    """A node with its address; that of its first link where the cluster has not heard of it."""
    address = str(entry.get("ip") or next(iter(links), ""))
    if not address:
        raise Unusable(f"--pve: the cluster tells no address of node {entry['name']}", "bring the node online first")
    return Member(str(entry["name"]), address, links, int(entry.get("nodeid") or 0))


def _links(api: PveApi) -> dict[str, tuple[str, ...]]:
    """The addresses of each node's corosync links."""
    found = {}
    for node in api.get("cluster/config/nodes"):
        rings = sorted(name for name in node if name.startswith("ring") and name.endswith("_addr"))
        found[str(node["name"])] = tuple(str(node[ring]) for ring in rings)
    return found


def _witness(api: PveApi) -> str | None:
    """The witness's address; None while the cluster has no quorum device."""
    said = str(api.get("cluster/config/qdevice").get("QNetd host") or "")
    # the port is always there, and no brackets are around an IPv6 address
    return split(said.rpartition(":")[0].strip("[]"))[0] if said else None


def _guests(api: PveApi, ha: list[Item], rows: list[Item]) -> Iterator[HaGuest]:
    """The virtual machines that HA keeps running."""
    known = {f"vm:{row['vmid']}": row for row in rows if row["type"] == "qemu"}
    for entry in sorted(ha, key=lambda entry: int(str(entry["sid"]).partition(":")[2])):
        row = known.get(str(entry["sid"]))
        if row is None or entry.get("state", "started") not in ("started", "enabled"):
            continue
        config = api.get(f"nodes/{row['node']}/qemu/{row['vmid']}/config")
        disks = {
            str(value).partition(":")[0]
            for name, value in config.items()
            if name.rstrip("0123456789") in ("scsi", "virtio", "sata", "ide") and ":" in str(value)
        }
        yield HaGuest(
            vmid=int(row["vmid"]),
            name=str(row.get("name") or config.get("name") or f"vm-{row['vmid']}"),
            node=str(row["node"]),
            cores=int(config.get("cores", 1)),
            memory=int(config.get("memory", 512)) * MIB,
            storages=frozenset(disks),
        )


def _policy(ha: list[Item]) -> dict[str, int]:
    """What HA is told about most guests; Proxmox VE's own defaults stand where nothing is set."""
    policy = {}
    for name in ("max_restart", "max_relocate", "failback"):
        values = [int(entry.get(name, 1)) for entry in ha]
        policy[name] = max(values, key=values.count) if values else -1
    return {} if -1 in policy.values() else policy


def _blind_spots(api: PveApi) -> Iterator[str]:
    for privilege, path, what in SIGHT:
        if privilege not in rights_at(api, path):
            yield f"the token lacks {privilege} at {path}: {what} may be missing here; docs/prepare.md grants it"


def _single_links(links: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if single := sorted(node for node, addresses in links.items() if len(addresses) < 2):
        yield f"one corosync link only on {', '.join(single)}: Quorate expects a second one, on another network"


# --- arrays --------------------------------------------------------------------------------------------------------


def seen_array(option: str, array: Array, secrets: Secrets) -> SeenArray:
    """An array as it tells itself; Unusable with the option that is to blame."""
    client = FlashArray(array, secrets, read_timeout=LIMIT)
    with told_of(option):
        shown = [(str(row["volume"]["name"]), row) for row in client.connections()]
        listed = client.pods()
        pods = {str(pod["name"]): frozenset(str(one["name"]) for one in pod["arrays"]) for pod in listed}
        return SeenArray(
            name=str(client.array()["name"]),
            address=array.address,
            hosts={str(host["name"]): _host(host) for host in client.hosts()},
            pods=pods,
            volumes={
                pod: tuple(
                    SeenVolume(
                        str(one["name"]).partition("::")[2], int(one["provisioned"]), str(one.get("serial") or "")
                    )
                    for one in client.volumes_of(pod)
                )
                for pod, members in pods.items()
                if len(members) > 1
            },
            connections=frozenset(
                (volume, str(row["host_group"]["name"]), int(row.get("lun") or 0))
                for volume, row in shown
                if (row.get("host_group") or {}).get("name")
            ),
            prefers={
                str(pod["name"]): tuple(str(one["name"]) for one in pod.get("failover_preferences") or [])
                for pod in listed
            },
            taken=frozenset(int(row["lun"]) for _, row in shown if row.get("lun")),
        )


def _host(host: Item) -> SeenHost:
    preferred = [str(array["name"]) for array in host.get("preferred_arrays") or []]
    return SeenHost(
        tuple(str(iqn).lower() for iqn in host.get("iqns") or []),
        preferred[0] if len(preferred) == 1 else None,
        tuple(wwn(str(one)) for one in host.get("wwns") or []),
        tuple(map(str, host.get("nqns") or [])),
        str((host.get("host_group") or {}).get("name") or ""),
    )
