"""Hosts and host groups of one array: they are never replicated, the peer's are only shown.

A host's initiators say who it is; its preferred arrays say through which array its paths are optimized.
"""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cluster.nouns import wwn
from lab.purity.errors import Refused, exists, missing
from lab.purity.rules import connections
from lab.purity.rules.names import check, find, reference, same

if TYPE_CHECKING:
    from lab.purity.models import Array

PERSONALITIES = ("aix", "esxi", "hitachi-vsp", "hpux", "oracle-vm-server", "solaris", "vms")
PORTS = ("iqns", "wwns", "nqns")
CHAP = ("host_user", "host_password", "target_user", "target_password")


@dataclass(eq=False)
class Group:
    """A host group; its members point to it."""

    name: str


@dataclass(eq=False)
class Host:
    """A host. `chap` never holds a secret: only user names, and stars for a password that is set.

    The host's own password is `secret`, which nothing shows.
    """

    name: str
    iqns: list[str] = field(default_factory=list)
    wwns: list[str] = field(default_factory=list)
    nqns: list[str] = field(default_factory=list)
    personality: str | None = None
    preferred_arrays: list[str] = field(default_factory=list)
    vlan: str = "any"
    chap: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(CHAP))
    secret: str = field(default="", repr=False)
    group: Group | None = None

    def known_by(self, initiator: str) -> bool:
        """Whether that initiator is one of its own, of whatever kind."""
        return any(same(one, initiator) for one in (*self.iqns, *self.wwns, *self.nqns))

    def optimized_on(self, array: str) -> bool:
        """No preference means that all arrays are equal (reference: flasharray-rest §6.3)."""
        return not self.preferred_arrays or array in self.preferred_arrays


def named(array: "Array", name: str) -> Host:
    """The host of that name, of this array itself."""
    host = find(array.hosts, name)
    if host is None:
        raise missing("Host", name)
    return host


def group_named(array: "Array", name: str) -> Group:
    """The host group of that name, of this array itself."""
    group = find(array.groups, name)
    if group is None:
        raise missing("Host group", name)
    return group


def members(array: "Array", group: Group) -> list[Host]:
    """The hosts of a group."""
    return [host for host in array.hosts if host.group is group]


def create(array: "Array", names: list[str], body: dict[str, Any]) -> list[Host]:
    """New hosts, all or none of them."""
    for name in names:
        check("Host", name)
        if find(array.hosts, name):
            raise exists("Host", name)
    if len(names) > 1 and any(body.get(kind) for kind in PORTS):
        raise Refused("Initiators can be given to one host only.")
    wanted = _wanted(array, Host(names[0]), body)
    created = []
    for name in names:
        host = Host(name)
        for key, value in wanted.items():
            setattr(host, key, value)
        array.hosts.append(host)
        array.record("host.create", name, **_shown(wanted))
        created.append(host)
    return created


def change(array: "Array", name: str, body: dict[str, Any]) -> Host:
    """Whatever a PATCH asks for; joining a group is a change of its own."""
    host = named(array, name)
    wanted = _wanted(array, host, body)
    group = group_named(array, reference(body["host_group"])) if body.get("host_group") else None
    if group is not None:
        _may_join(array, host, group)
    if "name" in body:
        check("Host", body["name"])
        if find(array.hosts, body["name"]) not in (None, host):
            raise exists("Host", body["name"])
        wanted["name"] = body["name"]
    changed = {key: value for key, value in wanted.items() if getattr(host, key) != value}
    if changed:
        target = host.name
        for key, value in changed.items():
            setattr(host, key, value)
        array.record("host.update", target, **_shown(changed))
    if group is not None:
        _join(array, host, group)
    return host


def _shown(fields: dict[str, Any]) -> dict[str, Any]:
    """What of the fields may stand in the change log."""
    shown = {key: value for key, value in fields.items() if key not in ("chap", "secret")}
    return shown | ({"chap": "changed"} if {"chap", "secret"} & fields.keys() else {})


def _wanted(array: "Array", host: Host, body: dict[str, Any]) -> dict[str, Any]:
    """The new values of a host's fields, each checked."""
    wanted: dict[str, Any] = {}
    for kind in PORTS:
        ports = _ports(kind, getattr(host, kind), body)
        if ports != getattr(host, kind):
            wanted[kind] = _free(array, host, kind, ports)
    if wanted.get("nqns", host.nqns) and (wanted.get("iqns", host.iqns) or wanted.get("wwns", host.wwns)):
        raise Refused("NVMe hosts cannot have iSCSI or Fibre Channel initiators.", host.name)
    if "personality" in body:
        if body["personality"] not in (*PERSONALITIES, "", None):
            raise Refused("Invalid personality.", host.name)
        wanted["personality"] = body["personality"] or None
    if "preferred_arrays" in body:
        given = [reference(one) for one in body["preferred_arrays"] or []]
        wanted["preferred_arrays"] = [array.known_array(name).name for name in given]
    if "vlan" in body:
        wanted["vlan"] = str(body["vlan"])
    if isinstance(body.get("chap"), dict):
        given_chap = {key: body["chap"][key] or None for key in CHAP if key in body["chap"]}
        stars = {key: "****" for key, value in given_chap.items() if value and key.endswith("password")}
        wanted["chap"] = host.chap | given_chap | stars
        if "host_password" in given_chap:
            wanted["secret"] = given_chap["host_password"] or ""
    return wanted


def _ports(kind: str, now: list[str], body: dict[str, Any]) -> list[str]:
    """The initiators of one kind after the call: replaced, then added to, then taken from."""

    def given(field: str) -> list[str]:
        # Purity takes a WWN with and without colons, and shows it in one way
        return [_wwn(one) if kind == "wwns" else one for one in body.get(field) or []]

    ports = given(kind) if kind in body else list(now)
    ports += [port for port in given(f"add_{kind}") if port not in ports]
    gone = [port.lower() for port in given(f"remove_{kind}")]
    return [port for port in ports if port.lower() not in gone]


def _wwn(given: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){7}", given):
        raise Refused("Invalid Fibre Channel world wide name.", given)
    return wwn(given)


def _free(array: "Array", host: Host, kind: str, ports: list[str]) -> list[str]:
    """The initiators, when none of them belongs to another host."""
    for port in ports:
        if kind == "iqns" and not port.lower().startswith(("iqn.", "eui.", "naa.")):
            raise Refused("Invalid iSCSI qualified name.", port)
        for other in array.hosts:
            if other is not host and any(same(port, one) for one in getattr(other, kind)):
                raise Refused(f"The specified initiator is already in use by host {other.name}.", port)
    return ports


def delete(array: "Array", name: str) -> None:
    """Delete a host that nothing is connected to; there is no destroyed state."""
    host = named(array, name)
    if connections.of_host(array, host):
        raise Refused("Host cannot be deleted due to existing connections.", host.name)
    array.hosts.remove(host)
    array.record("host.delete", host.name)


def create_groups(array: "Array", names: list[str]) -> list[Group]:
    """New host groups, all or none of them."""
    for name in names:
        check("Host group", name)
        if find(array.groups, name):
            raise exists("Host group", name)
    created = [Group(name) for name in names]
    for group in created:
        array.groups.append(group)
        array.record("host_group.create", group.name)
    return created


def rename_group(array: "Array", name: str, body: dict[str, Any]) -> Group:
    """A new name for a group."""
    group = group_named(array, name)
    new = check("Host group", str(body.get("name", group.name)))
    if find(array.groups, new) not in (None, group):
        raise exists("Host group", new)
    if new != group.name:
        before, group.name = group.name, new
        array.record("host_group.update", before, name=new)
    return group


def delete_group(array: "Array", name: str) -> None:
    """Delete a group without connections; its members stay as hosts."""
    group = group_named(array, name)
    if any(connection.group is group for connection in array.connections):
        raise Refused("Host group cannot be deleted due to existing connections.", group.name)
    for host in members(array, group):
        host.group = None
    array.groups.remove(group)
    array.record("host_group.delete", group.name)


def add_members(array: "Array", group_name: str, host_names: list[str]) -> list[Host]:
    """Put hosts into a group, all or none of them."""
    group = group_named(array, group_name)
    joining = [named(array, name) for name in host_names]
    for host in joining:
        _may_join(array, host, group)
    for host in joining:
        _join(array, host, group)
    return joining


def _may_join(array: "Array", host: Host, group: Group) -> None:
    if host.group is not None:
        raise Refused(f"Host already belongs to host group {host.group.name}.", host.name)
    own = connections.of_host(array, host)
    for shared in (one for one in array.connections if one.group is group):
        if any(one.volume is shared.volume for one in own):
            raise Refused("Connection already exists.", shared.volume.full_name)
        if any(one.lun == shared.lun for one in own):
            raise Refused(f"LUN {shared.lun} is already in use.", host.name)


def _join(array: "Array", host: Host, group: Group) -> None:
    host.group = group
    array.record("host_group.add_host", group.name, host=host.name)


def remove_members(array: "Array", group_name: str, host_names: list[str]) -> None:
    """Take hosts out of a group; they lose its connections at once."""
    group = group_named(array, group_name)
    leaving = [named(array, name) for name in host_names]
    for host in leaving:
        if host.group is not group:
            raise Refused("Host does not belong to the host group.", host.name)
    for host in leaving:
        host.group = None
        array.record("host_group.remove_host", group.name, host=host.name)
