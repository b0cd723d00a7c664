"""Who may see the volume: hosts, preferred arrays, host groups and connections of one array.

Each array knows its hosts by itself; only the volume is replicated. So both arrays are told the same of every node,
each with its own group and its own LUN.
"""

from typing import TYPE_CHECKING

from activities.attempt import Changes
from activities.errors import Conflict, Refuted
from activities.serving import serves
from cluster.contracts import purity
from cluster.contracts.purity import AccessFinding, AccessWish, HostWish
from cluster.plan import Ledger
from cluster.transports import HOST_FIELDS, HostField, alike

if TYPE_CHECKING:
    from activities.clients.purity import Arrays, FlashArray, Item
from cluster.units import counted


class Access:
    """Activities on hosts and connections."""

    def __init__(self, arrays: "Arrays") -> None:
        self._arrays = arrays

    @serves(purity.ensure_access, no_thread_cancel_exception=True)
    def ensure_access(self, wish: AccessWish) -> AccessFinding:
        """Every node has a host object that prefers its own site's array; the group sees the volume at its LUN."""
        client, ledger = self._arrays[wish.array], Changes(wish.mode)
        hosts = {host["name"]: host for host in client.hosts()}
        rows = client.connections()
        _lun_is_free(wish, rows)
        for host in wish.hosts:
            self._ensure_host(client, ledger, host, hosts)
            self._ensure_chap(client, ledger, wish, host.name, hosts.get(host.name))
        if client.host_group(wish.group) is None and ledger.intend(
            wish.array, "create host group", wish.group, verb="create"
        ):
            client.create_host_group(wish.group)
        for host in wish.hosts:
            group = ((hosts.get(host.name) or {}).get("host_group") or {}).get("name")
            if group not in (None, wish.group):
                raise Conflict(
                    f"{wish.array}: host {host.name} is in the host group {group}, the inventory says {wish.group}"
                )
            if group is None and ledger.intend(wish.array, "add host", host.name, f"to {wish.group}", verb="add"):
                client.join(wish.group, host.name)
        if not any(row["volume"]["name"] == wish.volume for row in rows) and ledger.intend(
            wish.array, "connect volume", wish.volume, f"to {wish.group}{_at(wish.lun)}", verb="connect"
        ):
            client.connect(wish.group, wish.volume, wish.lun)
        if not ledger.only_planned:
            _prove_access(wish, client)
        return AccessFinding(
            finding=f"{counted(len(wish.hosts), 'host')} in {wish.group}{_seen_at(wish.lun)}"
            + (" (planned)" if ledger.only_planned else ""),
            changed=ledger.changed,
            changes=ledger.changes,
            hosts=len(wish.hosts),
            lun=wish.lun,
        )

    def _ensure_host(self, client: "FlashArray", ledger: Ledger, wish: HostWish, hosts: dict[str, "Item"]) -> None:
        wanted, said = {alike(one) for one in wish.initiators}, ", ".join(wish.initiators)
        for name, other in hosts.items():
            theirs = {} if name == wish.name else _initiators(other, wish.kind)
            if taken := [one for one in wish.initiators if alike(one) in theirs]:
                raise Conflict(f"{client.name}: initiator {', '.join(taken)} of {wish.name} belongs to the host {name}")
        host = hosts.get(wish.name)
        if host is None:
            if ledger.intend(client.name, "create host", wish.name, f"{said}, prefers {wish.preferred}", verb="create"):
                client.create_host(wish.name, wish.initiators, wish.preferred, wish.kind)
            return
        there = _initiators(host, wish.kind)
        if strangers := [shown for one, shown in sorted(there.items()) if one not in wanted]:
            raise Conflict(
                f"{client.name}: host {wish.name} has the initiator {', '.join(strangers)}, the inventory says {said}"
            )
        others = [one for kind in HOST_FIELDS.values() if kind != wish.kind for one in host.get(kind) or ()]
        if others and "nqns" in (wish.kind, *(kind for kind in HOST_FIELDS.values() if host.get(kind))):
            raise Conflict(
                f"{client.name}: host {wish.name} has {', '.join(others)}, and a host of NVMe has no other initiators; "
                "remove them there by hand, or name the node's own transport in the inventory"
            )
        missing = [one for one in wish.initiators if alike(one) not in there]
        if missing and ledger.intend(
            client.name, "add initiator", ", ".join(missing), f"to host {wish.name}", verb="add"
        ):
            client.add_initiators(wish.name, missing, wish.kind)
        preferred = [array["name"] for array in host.get("preferred_arrays") or []]
        if preferred != [wish.preferred] and ledger.intend(
            client.name,
            "set preferred array",
            wish.name,
            f"{wish.preferred}, was {', '.join(preferred) or 'none'}",
            verb="set",
        ):
            client.prefer(wish.name, wish.preferred)

    def _ensure_chap(
        self, client: "FlashArray", ledger: Ledger, wish: AccessWish, name: str, host: "Item | None"
    ) -> None:
        """The host logs in with the inventory's user; the array shows no secret, so only the user is compared."""
        user = ((host or {}).get("chap") or {}).get("host_user")
        if wish.chap is None or user == wish.chap.user:
            return
        detail = f"user {wish.chap.user}" + (f", was {user}" if user else "")
        if ledger.intend(client.name, "set CHAP of host", name, detail, verb="set"):
            client.introduce(name, wish.chap.user, wish.chap.password)


def _initiators(host: "Item", kind: HostField) -> dict[str, str]:
    """The initiators of a host object, by what they are compared by."""
    return {alike(one): one for one in host.get(kind) or []}


def _at(lun: int) -> str:
    """Namespaces of NVMe are numbered by the array."""
    return f" at LUN {lun}" if lun else ""


def _seen_at(lun: int) -> str:
    """How hosts see the volume; the level of REST that we speak does not tell a namespace's number."""
    return f", LUN {lun}" if lun else ", as a namespace"


def _lun_is_free(wish: AccessWish, rows: list["Item"]) -> None:
    """At the wished LUN; a namespace's number is the array's own, and never taken."""
    if not wish.lun:
        return
    ours = {host.name for host in wish.hosts}
    for row in rows:
        volume, lun = row["volume"]["name"], row.get("lun")
        if row["host_group"].get("name") != wish.group and row["host"].get("name") not in ours:
            continue
        if volume == wish.volume and lun != wish.lun:
            raise Conflict(
                f"{wish.array}: {volume} is connected at LUN {lun}, the inventory says LUN {wish.lun}; "
                "change pod.volumes.luns or disconnect the volume by hand"
            )
        if volume != wish.volume and lun == wish.lun:
            who = row["host_group"].get("name") or row["host"].get("name")
            raise Conflict(
                f"{wish.array}: LUN {lun} of {who} is taken by the volume {volume}; "
                "choose another LUN in pod.volumes.luns"
            )


def _prove_access(wish: AccessWish, client: "FlashArray") -> None:
    """Read back: each host is in the group, prefers the right array and has the LUN."""
    hosts = {host["name"]: host for host in client.hosts()}
    seen = {row["host"].get("name") for row in client.connections() if row["volume"]["name"] == wish.volume}
    for host in wish.hosts:
        now = hosts.get(host.name, {})
        preferred = [array["name"] for array in now.get("preferred_arrays") or []]
        if host.name not in seen or preferred != [host.preferred]:
            raise Refuted(
                f"{wish.array}: host {host.name} prefers {preferred or 'no array'} and "
                f"{'sees' if host.name in seen else 'does not see'} {wish.volume}; "
                f"the inventory says: prefers {host.preferred} and sees it"
            )
