"""What the token may do, asked of the cluster itself: for a runbook before it begins, for all of them once a day.

The daily look also sees until when the certificates of all endpoints are good, and whether the pod still goes on where
the quorum does.

A list that a missing right may have filtered is no evidence: what is to be called empty, gone or at home is asked for
only inside of `seeing_all_guests`.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from activities.clients import shown
from activities.errors import Unauthorized, Unreachable, Word
from activities.parsing.guests import parse_guests
from activities.serving import serves
from cluster.alignment import apart
from cluster.contracts import proxmox
from cluster.contracts.proxmox import RightsFinding, RightsWish
from cluster.guests import GuestRow
from cluster.inventory import Inventory
from cluster.privileges import PROCEDURES, Missing, Procedure, Sight, missing, needed, paths, sight
from cluster.trust import endpoints

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.purity import Arrays

SEES, ASKS_AGENTS = "VM.Audit", "VM.GuestAgent.Audit"
GRANT = "grant it to the token and to its user, see docs/prepare.md"


class Rights:
    """Activities on the token's rights."""

    def __init__(self, inventory: Inventory, api: "PveApi", arrays: "Arrays | None" = None) -> None:
        self._inventory, self._api, self._arrays = inventory, api, arrays

    @serves(proxmox.rights)
    async def rights(self, wish: RightsWish) -> RightsFinding:
        """What the token lacks. Unauthorized with all of it where the wish says that nothing may be missing."""
        named = tuple(one for one in PROCEDURES if one == wish.runbook) or ("watch",)
        runbooks: tuple[Procedure, ...] = named if wish.runbook else PROCEDURES
        lacks = await asyncio.to_thread(self._missing, runbooks)
        lacks += [] if wish.runbook else await asyncio.to_thread(self._hidden)
        trusts = () if wish.runbook else tuple(trust for _, trust in endpoints(self._inventory))
        ending = await asyncio.to_thread(shown.ends_soon, *trusts)
        parts = "" if wish.runbook else await asyncio.to_thread(self._apart)
        if lacks and wish.must:
            raise Unauthorized(f"the token lacks {', '.join(map(str, lacks))}; {GRANT}")
        if wish.must and any(SEES in needed(self._inventory, runbook).get("/vms", ()) for runbook in runbooks):
            await asyncio.to_thread(must_see_all_guests, self._api)  # an entry of a guest's own may hide it
        if lacks:
            said = f"the token lacks {', '.join(map(str, lacks))}; {GRANT}"
            return RightsFinding(finding=said, mark="warned", missing=tuple(lacks), certificates=ending, apart=parts)
        said = f"the token may do all that {wish.runbook or 'any runbook'} asks for"
        return RightsFinding(finding=said, certificates=ending, apart=parts)

    def _apart(self) -> str:
        """Why quorum and storage may end at different sites, where people have said which array shall go on.

        Empty as well where nobody tells it now: others tell that an array or the API is silent.
        """
        inventory = self._inventory
        if inventory.all_pods[0].failover_preference is None or self._arrays is None:
            return ""
        try:
            entries = self._api.get("cluster/status")
            pods = [self._arrays[one.first].pod(one.name) for one in inventory.all_pods]
        except Word:
            return ""
        ids = {entry["name"]: int(entry["nodeid"]) for entry in entries if entry["type"] == "node"}
        known = {pod["name"]: [one["name"] for one in pod.get("failover_preferences") or []] for pod in pods if pod}
        return next(filter(None, (apart(inventory, prefers, ids, name) for name, prefers in known.items())), "")

    def _missing(self, runbooks: tuple[Procedure, ...]) -> list[Missing]:
        has = {path: rights_at(self._api, path) for path in paths(self._inventory, runbooks)}
        return missing(self._inventory, runbooks, has)

    def _hidden(self) -> list[Missing]:
        """Guests that entries of their own hide, and the pools that hide theirs."""
        seen = sight_of(self._api, SEES)
        who = tuple(one for one in PROCEDURES if SEES in needed(self._inventory, one).get("/vms", ()))
        return [Missing(privilege=SEES, path=path, runbooks=who) for path in seen.hidden]


def rights_at(api: "PveApi", path: str, node: str | None = None) -> dict[str, bool]:
    """The token's privileges on a path, each with whether it reaches the paths below."""
    answer = api.get("access/permissions", path=path, node=node)
    return {name: bool(reaches) for rights in answer.values() for name, reaches in rights.items()}


def sight_of(api: "PveApi", privilege: str, node: str | None = None) -> Sight:
    """Whether the token has that privilege for every guest."""
    below_vms = rights_at(api, "/vms", node)
    if not below_vms.get(privilege):
        return Sight(privilege=privilege, reaches=False)
    everywhere, listed = api.get("access/permissions", node=node), api.get("access/acl", node=node)
    try:
        entries = [(str(one["path"]), str(one["roleid"])) for one in listed]
        return sight(privilege, {**everywhere, "/vms": below_vms}, entries)
    except (AttributeError, KeyError, TypeError) as reason:
        raise Unreachable(f"Proxmox VE: the access list says something that cannot be read: {reason!r}") from None


def must_see_all_guests(api: "PveApi", node: str | None = None) -> None:
    """Unauthorized unless the token sees every guest: `/cluster/resources` leaves out those without VM.Audit."""
    seen = sight_of(api, SEES, node)
    if not seen.reaches:
        raise Unauthorized(
            f"the token lacks {SEES} at /vms, with propagation: guests may be missing from every list, so "
            f"Quorate takes no node for empty and no guest for back or gone; {GRANT}"
        )
    if not seen.audits:
        raise Unauthorized(
            f"the token lacks Sys.Audit at /access, with which entries are read that hide single guests, so "
            f"Quorate takes no node for empty and no guest for back or gone; {GRANT}"
        )
    if seen.hidden:
        raise Unauthorized(
            f"the token lacks {SEES} at {', '.join(seen.hidden)}: permissions there replace the grant at /vms, so "
            f"Quorate takes no node for empty and no guest for back or gone; {GRANT}"
        )


@contextlib.contextmanager
def seeing_all_guests(api: "PveApi", node: str | None = None) -> Iterator[None]:
    """What is read inside lists every guest: Unauthorized before, or after where the right has gone meanwhile."""
    must_see_all_guests(api, node)
    yield
    must_see_all_guests(api, node)


def all_guests(api: "PveApi", node: str | None = None) -> tuple[GuestRow, ...]:
    """Every guest of the cluster, none left out; Unauthorized where one may be."""
    with seeing_all_guests(api, node):
        return parse_guests(api.get("cluster/resources", node=node, type="vm"))
