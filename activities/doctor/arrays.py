"""An array: first what it says without a token, then the rest, one question after the other, as its client asks."""

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from activities.doctor.asking import read
from cluster.addresses import split
from cluster.doctor.arrays import ArrayTold, Interface, Peer
from cluster.doctor.check import Unread
from cluster.inventory import Array, Inventory
from cluster.nouns import wwn
from cluster.portals import chosen
from cluster.transports import Transport
from cluster.volumes import wwid_of

if TYPE_CHECKING:
    from activities.clients.purity import FlashArray


def array(client: "FlashArray", inventory: Inventory) -> ArrayTold:
    """All that one array tells. Blocks, each question no longer than the client's own limits."""
    name = client.name
    levels = read(client.levels, name)
    if isinstance(levels, Unread):
        return ArrayTold(name=name, levels=levels, called=levels)
    spoken, ahead = levels
    told = ArrayTold(name=name, levels=spoken, ahead=ahead)
    if client.speaks not in spoken:
        why = Unread(word="NotFound", said=f"{name} does not speak REST {client.speaks}, so it was not asked")
        return told.model_copy(update={"called": why})
    about = read(client.array, name)
    if isinstance(about, Unread):
        return told.model_copy(update={"called": about})
    update: dict[str, object] = {"called": str(about.get("name")), "purity": str(about.get("version") or "")}
    update["role"] = read(client.role, name)
    update["peer"] = read(lambda: _peer(client.connection(inventory.peer(name).name)), name)
    update |= _ports(client, inventory)
    names = [disk.volume_name for disk in inventory.disks]
    found = [read(partial(_wwid_of, client, one, inventory.transport), name) for one in names]
    update |= {"untold": next((wwid for wwid in found if isinstance(wwid, Unread)), None)}
    first, *others = [None if isinstance(wwid, Unread) else wwid for wwid in found]
    update |= {"wwid": first, "wwids": tuple(filter(None, others))}
    pods = {one.name: read(partial(_preferences_of, client, one.name), name) for one in inventory.all_pods}
    update["preferences"] = pods.pop(inventory.all_pods[0].name)
    update["more"] = pods
    update["interfaces"] = read(lambda: tuple(map(_interface, client.interfaces())), name)
    return told.model_copy(update=update)


def _ports(client: "FlashArray", inventory: Inventory) -> dict[str, object]:
    if inventory.transport == "fc":
        there = read(client.fc_ports, client.name)
        if isinstance(there, Unread):
            return {"ports": there}
        named = {wwn(str(port["wwn"])): str(port["name"]) for port in there}
        return {"ports": tuple(named.values()), "wwns": named}
    ports = read(lambda: client.targets(inventory.transport), client.name)
    if isinstance(ports, Unread):
        return {"ports": ports}
    offered = tuple(sorted(str(port["portal"]) for port in ports))
    return {
        "ports": tuple(str(port["name"]) for port in ports),
        "portals": chosen(offered, inventory.array(client.name).portals),
        "iqn": str(ports[0].get("iqn") or "") if ports else "",
        "nqn": str(ports[0].get("nqn") or "") if ports else "",
    }


def _wwid(volume: dict[str, Any] | None, transport: Transport) -> str | None:
    serial = None if volume is None or volume.get("destroyed") else volume.get("serial")
    return wwid_of(str(serial), transport) if serial else None


def place(array_: Array) -> str:
    """The address behind an array's name, as its interfaces are listed; the name itself where nobody knows one."""
    host, _ = split(array_.address)
    try:
        return str(socket.getaddrinfo(host, None)[0][4][0])
    except OSError:
        return host


def _peer(found: dict[str, Any] | None) -> Peer:
    return Peer(type=str(found.get("type")), status=str(found.get("status"))) if found else Peer()


def _wwid_of(client: "FlashArray", volume: str, transport: Transport) -> str | None:
    return _wwid(client.volume(volume), transport)


def _preferences_of(client: "FlashArray", pod: str) -> tuple[str, ...] | None:
    return _preferences(client.pod(pod))


def _preferences(pod: dict[str, Any] | None) -> tuple[str, ...] | None:
    if pod is None or pod.get("destroyed"):
        return None
    return tuple(str(one["name"]) for one in pod.get("failover_preferences") or [])


def _interface(row: dict[str, Any]) -> Interface:
    eth = row.get("eth") or {}
    return Interface(
        name=str(row["name"]), address=str(eth.get("address") or ""), services=tuple(row.get("services") or ())
    )
