"""What the cluster's API tells: each node's version, who is a member, what the token may do. Pure."""

from collections.abc import Mapping

from pydantic import Field

from cluster import rings
from cluster.doctor import rights, versions
from cluster.doctor.check import About, Check, Unread
from cluster.inventory import Inventory
from cluster.nouns import Value
from cluster.privileges import Sight
from cluster.units import shortly


class Members(Value):
    """The cluster as one node lists it: its name, corosync's ids, and who is online."""

    name: str
    ids: dict[str, int] = Field(default_factory=dict)
    offline: tuple[str, ...] = ()


class Source(Value):
    """A guest that others are cloned from; `closed` are paths of bridges that its cards use and the token may not."""

    vmid: int
    listed: bool
    closed: tuple[str, ...] = ()


class ClusterTold(Value):
    """All that the API has said. `versions` has the nodes that were asked."""

    versions: dict[str, str | Unread]
    members: Members | Unread
    rights: dict[str, frozenset[str]] | Unread
    sights: tuple[Sight, ...] | Unread
    sources: tuple[Source, ...] | Unread = ()
    links: dict[str, tuple[str, ...]] | Unread = Field(default_factory=dict)  # corosync.conf's; asked where stated


def nodes(told: ClusterTold) -> list[Check]:
    """Each node's token and version, and whether they are alike."""
    known = {node: found for node, found in told.versions.items() if isinstance(found, str)}
    found = [_version(node, said) for node, said in told.versions.items()]
    return [*found, versions.alike(known)] if len(known) > 1 else found


def _version(node: str, said: str | Unread) -> Check:
    if isinstance(said, Unread):
        return About(area="cluster", subject=node, what="API").unread(said)
    return versions.pve(node, said)


def members(inventory: Inventory, told: ClusterTold) -> Check:
    """The cluster is the one of the inventory, with exactly its nodes, and all of them are online."""
    about = About(area="cluster", subject="cluster", what="members")
    if isinstance(told.members, Unread):
        return about.unread(told.members)
    found = told.members
    if not found.name:
        return about.wrong("the node stands alone, it is in no cluster", "pvecm create, then pvecm add on the others")
    if found.name != inventory.name:
        return about.wrong(f"the cluster is called {found.name}, the inventory says {inventory.name}", "correct name")
    stated = {node.name for node in inventory.nodes}
    if strange := sorted(stated ^ set(found.ids)):
        return about.wrong(f"cluster and inventory differ in {', '.join(strange)}", "correct sites")
    if found.offline:
        return about.wrong(f"{shortly(found.offline)} offline", "bring them online: quorate incident tells more")
    return about.ok(f"{found.name}, {len(stated)} nodes online")


def links(inventory: Inventory, told: ClusterTold) -> list[Check]:
    """Corosync's links have the addresses that the inventory states, where it states some."""
    about = About(area="cluster", subject="cluster", what="link addresses")
    wanted = rings.stated(inventory)
    if not wanted:
        return []
    if isinstance(told.links, Unread):
        return [about.unread(told.links)]
    if wrong := rings.against(wanted, told.links):
        said, _, remedy = wrong[0].partition("; ")
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return [about.wrong(f"{said}{more}", remedy)]
    return [about.ok(f"as in the inventory on {len(wanted)} nodes")]


def token(inventory: Inventory, told: ClusterTold) -> list[Check]:
    """The token's rights: one line for each runbook, and one for each right that has to reach all guests."""
    about = About(area="cluster", subject="token", what="rights")
    if isinstance(told.rights, Unread) or isinstance(told.sights, Unread):
        why = told.rights if isinstance(told.rights, Unread) else told.sights
        return [about.unread(why)] if isinstance(why, Unread) else []
    return [*rights.runbooks(inventory, told.rights), *(rights.guests(inventory, one) for one in told.sights)]


def sources(inventory: Inventory, told: ClusterTold) -> list[Check]:
    """The guests that the inventory's are cloned from are there, and the token may use the bridges of their cards."""
    about = About(area="cluster", subject="guests", what="sources")
    if isinstance(told.sources, Unread):
        return [about.unread(told.sources)]
    return [_source(inventory, one) for one in told.sources]


def _source(inventory: Inventory, source: Source) -> Check:
    about = About(area="cluster", subject=f"guest {source.vmid}", what="source of guests")
    if not source.listed:
        return about.wrong(
            "the cluster lists no such guest, or the token may not see it", "correct guests.template, or make it"
        )
    if source.closed:
        user, token = inventory.api.token_id.partition("!")[0], inventory.api.token_id
        return about.wrong(
            f"it has a card at {', '.join(source.closed)}, where the token lacks SDN.Use: a clone would be refused",
            f"on a node: pveum acl modify {source.closed[0]} --roles PVESDNUser --users {user} --tokens '{token}'",
        )
    return about.ok("there, and the token may use its network")


def ids(told: ClusterTold | None) -> Mapping[str, int]:
    """Corosync's node ids; none where nobody tells them."""
    return told.members.ids if told is not None and isinstance(told.members, Members) else {}
