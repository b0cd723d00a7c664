"""Where HA may run the guests and where the storage is: at the sites, where a third place has nodes without paths.

Proxmox HA asks no storage before it places a guest: without a rule it would try a node of the third place, where the
guest cannot start. So a strict rule keeps the inventory's guests at the sites.
"""

from typing import TYPE_CHECKING, Any

from activities.errors import Conflict
from cluster.contracts.proxmox import HaWish, StorageWish
from cluster.nouns import KEPT_TO_SITES
from cluster.plan import Ledger

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi


def open_elsewhere(existing: dict[str, Any], wish: StorageWish) -> str:
    """Why a storage that exists is not kept to its nodes; empty when it is."""
    listed = sorted(_words(existing.get("nodes")))
    if listed == sorted(wish.nodes):
        return ""
    return (
        f"storage {wish.storage} is for {', '.join(listed) or 'all nodes'}; the nodes of the third place have no path "
        f"to it, set it by hand: pvesm set {wish.storage} --nodes {','.join(wish.nodes)}"
    )


def keep_to_sites(api: "PveApi", ledger: Ledger, wish: HaWish) -> None:
    """The rule exists and names these guests and nodes; a rule of other people about a guest is left alone: Conflict.

    Their rule is enough where it is strict and names nodes of the sites alone.
    """
    kept = {f"vm:{vmid}" for vmid in wish.guests}
    rules = {rule["rule"]: rule for rule in api.get("cluster/ha/rules") if rule.get("type") == "node-affinity"}
    own = rules.pop(KEPT_TO_SITES, None)
    for name, rule in rules.items():
        if rule.get("disable") or not (some := kept & _words(rule.get("resources"))):
            continue
        if not _keeps(rule, wish):
            raise Conflict(
                f"HA's rule {name} lets {', '.join(sorted(some))} run beside the sites: make it strict and name nodes "
                f"of the sites alone ({', '.join(wish.kept_to)}), or remove it"
            )
        kept -= some
    if not kept:
        return
    resources, nodes = ",".join(sorted(kept, key=_number)), ",".join(wish.kept_to)
    told = f"{resources} on {nodes}, strict"
    if own is None:
        if ledger.intend("HA", "add rule", KEPT_TO_SITES, told, verb="add"):
            api.post(
                "cluster/ha/rules",
                rule=KEPT_TO_SITES,
                type="node-affinity",
                resources=resources,
                nodes=nodes,
                strict=1,
            )
    elif not (kept <= _words(own.get("resources")) and _keeps(own, wish)):
        more = ",".join(sorted(kept | _words(own.get("resources")), key=_number))
        if ledger.intend("HA", "set rule", KEPT_TO_SITES, told, verb="set"):
            wished = {"resources": more, "nodes": nodes, "strict": 1}
            off = {"delete": "disable"} if own.get("disable") else {}
            api.put(f"cluster/ha/rules/{KEPT_TO_SITES}", type="node-affinity", **wished, **off)


def lacking(api: "PveApi", wish: HaWish) -> list[str]:
    """Guests that no rule keeps at the sites, in words. Reads only."""
    kept: set[str] = set()
    for rule in api.get("cluster/ha/rules"):
        if rule.get("type") == "node-affinity" and _keeps(rule, wish):
            kept |= _words(rule.get("resources"))
    free = [f"vm:{vmid}" for vmid in wish.guests if f"vm:{vmid}" not in kept]
    return [f"no rule keeps {', '.join(free)} at the sites"] if free else []


def _keeps(rule: dict[str, Any], wish: HaWish) -> bool:
    nodes = {word.partition(":")[0] for word in _words(rule.get("nodes"))}
    return bool(int(rule.get("strict") or 0)) and not rule.get("disable") and nodes <= set(wish.kept_to)


def _words(value: object) -> set[str]:
    return set(str(value).replace(",", " ").split()) if value else set()


def _number(sid: str) -> int:
    return int(sid.partition(":")[2])
