"""A returned site is looked at again and again until nothing speaks against it (design §6.1). All reads.

One activity for all checks: a quarantine may last for days, and its run's history must not grow with every look.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import paced
from activities.errors import Refuted
from activities.ha.manager import ha_view, told_by_quorum
from activities.proxmox.rights import all_guests
from activities.serving import serves
from activities.watch.survivor import PATHS_LIMIT, Survivor
from cluster.contracts import watch
from cluster.contracts.watch import SiteName
from cluster.inventory import Inventory
from cluster.plan import Finding, Mode
from cluster.quarantine import Check, Held, QuarantineFinding, QuarantineWish, at_rest, named
from cluster.units import counted
from cluster.wishes import Wishes

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.ssh import Hosts as SshHosts
    from activities.hosts.nodes import Hosts
    from activities.hosts.paths import Paths
    from activities.hosts.votes import Quorum
    from activities.proxmox.cluster import Proxmox
    from activities.purity.pods import Purity
    from cluster.contracts.proxmox import HaWish

# Between two looks, in seconds of the cluster's time: slower than anything that a look itself might disturb.
EVERY = 10.0
Looks = Callable[[], Awaitable[Finding]]


class QuarantineWard:
    """Activities on a returned site; the single checks are those of the deployment and of the survivor.

    `speed` is how much faster than the wall a rehearsal's time runs.
    """

    def __init__(
        self,
        inventory: Inventory,
        api: "PveApi",
        ssh: "SshHosts",
        *,
        hosts: "Hosts",
        paths: "Paths",
        survivor: Survivor,
        quorum: "Quorum",
        proxmox: "Proxmox",
        purity: "Purity",
        speed: float = 1.0,
    ) -> None:
        self._inventory, self._api, self._ssh, self._speed = inventory, api, ssh, speed
        self._hosts, self._paths_of, self._survivor, self._quorum = hosts, paths, survivor, quorum
        self._proxmox, self._purity = proxmox, purity
        self._wishes = Wishes(inventory, Mode.PLAN)

    @serves(watch.quarantine)
    async def watch(self, wish: QuarantineWish) -> QuarantineFinding:
        """Look until all checks have held for the soak time, or differ from the known ones, or the time is over."""
        speed, began = self._speed, time.monotonic()
        held = Held()
        while True:
            checks = await self.checks(wish)
            lasted = held.lasted(checks, time.monotonic())
            spent = timedelta(seconds=time.monotonic() - began) * speed
            found = named(checks, lasted * speed, wish.soak, datetime.now(UTC), lasted)
            if found.holds or wish.known not in (None, found.key) or spent >= wish.until:
                return found
            activity.heartbeat(found.finding)
            await asyncio.sleep(paced(EVERY, speed))

    # --- the checks --------------------------------------------------------------------------------------------

    async def checks(self, wish: QuarantineWish) -> tuple[Check, ...]:
        """All of them at once; a source that fails fails its check."""
        here, wishes = SiteName(site=wish.site), self._wishes
        site = [node.name for node in self._inventory.site(wish.site).nodes]
        rests = await self._at_rest(wish, site)
        awake = {"nodes": tuple(node for node in wishes.nodes if node not in rests)}
        with_paths = {"nodes": tuple(node for node in wishes.site_nodes if node not in rests)}
        ha = wishes.ha(()).model_copy(update={"resting": wish.resting, **awake})
        nodes = [node for node in wish.nodes or site if node not in rests]
        looks: dict[str, Looks] = {
            "Clocks agree": _of(self._hosts.clocks, wishes.clocks()),
            "Corosync links are connected": _of(self._survivor.links, here),
            "All votes are back": _of(self._quorum.votes, wishes.device()),
            "HA is armed, every LRM is well": lambda: self._armed(ha, nodes, rests),
            "Watchdogs run": lambda: self._watchdogs(nodes),
            "Pod is online on both arrays": _of_all([_of(self._purity.pod_state, one.pod_at()) for one in wishes.each]),
            "Paths are complete": lambda: self._paths(nodes),
            "Storage is active": _of_all(
                [_of(self._proxmox.storage_state, one.storage().model_copy(update=with_paths)) for one in wishes.each]
            ),
            "No volume is open on two nodes": _of(self._survivor.volumes, here),
            "No lock and no task is left over": lambda: self._left_over(nodes),
        }
        due = {title: look for title, look in looks.items() if title not in wish.without}
        return tuple(await asyncio.gather(*(_checked(title, look) for title, look in due.items())))

    async def _at_rest(self, wish: QuarantineWish, site: list[str]) -> tuple[str, ...]:
        """Who rests; nobody where no quorate node tells it, so that every node has to be well."""
        try:
            _, told = await asyncio.to_thread(told_by_quorum, self._api)
        except ApplicationError:
            return ()
        return at_rest(wish, site, ha_view(told).nodes)

    async def _armed(self, wish: "HaWish", nodes: list[str], rests: tuple[str, ...]) -> Finding:
        """HA as it is, and who rests. A site of which every node rests has nothing to show, and takes no guest."""
        found = await asyncio.to_thread(self._proxmox.ha_state, wish)
        if not nodes:
            raise Refuted(
                f"{', '.join(rests)}: every node is in maintenance and takes no guest; release them with `return-site` "
                "where `evacuate-site` emptied the site, else with `ha-manager crm-command node-maintenance disable`"
            )
        told = f"; in maintenance, not looked at: {', '.join(rests)}" if rests else ""
        return Finding(finding=f"{found.finding}{told}")

    async def _watchdogs(self, nodes: list[str]) -> Finding:
        """Without watchdog-mux nothing resets a node that is cut off, and its guests would run twice (I-22)."""
        answers = await asyncio.gather(
            *(self._ssh.run(node, "systemctl", "is-active", "watchdog-mux") for node in nodes)
        )
        if off := [node for node, answer in zip(nodes, answers, strict=True) if answer.stdout.strip() != "active"]:
            raise Refuted(f"watchdog-mux does not run on {', '.join(off)}: nothing would reset a node that is cut off")
        status = await asyncio.to_thread(self._api.get, "cluster/ha/status/current")
        fencing = next((entry for entry in status if entry["type"] == "fencing"), None)
        if fencing is not None and fencing.get("armed-state") not in ("armed", "standby"):
            raise Refuted(f"fencing is {fencing.get('armed-state')}")
        return Finding(finding=f"watchdog-mux runs on {counted(len(nodes), 'node')}")

    async def _paths(self, nodes: list[str]) -> Finding:
        """4 and 4 on each node of the site: what the arrays offer is asked first."""
        names = [array.name for array in self._inventory.arrays]
        offers = await asyncio.gather(
            *(asyncio.to_thread(self._purity.preflight, self._wishes.array_pair(name)) for name in names)
        )
        arrays = dict(zip(names, offers, strict=True))
        wishes = []
        for one in self._wishes.each:
            pod = await asyncio.to_thread(self._purity.ensure_pod, one.pod())
            if pod.wwid is None:
                raise Refuted(f"{one.inventory.volume_name} does not exist")
            wishes += [one.paths(node, arrays, pod.wwid) for node in nodes]
        found = await asyncio.gather(*(_checked(wish.node, _of(self._paths_of.paths, wish)) for wish in wishes))
        if wrong := [check.said for check in found if not check.holds]:
            raise Refuted("; ".join(wrong))
        return Finding(finding=f"{counted(len(nodes), 'node')}: {found[0].said if found else 'none takes guests'}")

    async def _left_over(self, nodes: list[str]) -> Finding:
        """Config locks of any guest, and tasks that still run on the returned nodes."""
        guests = await asyncio.to_thread(all_guests, self._api)
        left = [f"{guest.sid} is locked ({guest.lock})" for guest in guests if guest.lock]
        for node in nodes:
            tasks = await asyncio.to_thread(lambda node=node: self._api.get(f"nodes/{node}/tasks", source="active"))  # type: ignore[misc]
            left += [f"{task['type']} {task.get('id', '')} runs on {node}".replace("  ", " ") for task in tasks]
        if left:
            raise Refuted("; ".join(left[:5]) + ": look what it belongs to")
        return Finding(
            finding=f"{counted(len(guests), 'guest')} without a lock, no task on {counted(len(nodes), 'node')}"
        )


def _of(look: Callable[[Any], Any], wish: Any) -> Looks:
    """The activity of another room as a plain look; blocking ones in a thread."""

    async def asked() -> Finding:
        found = await asyncio.to_thread(look, wish) if not inspect.iscoroutinefunction(look) else await look(wish)
        return Finding(finding=found.finding)

    return asked


def _of_all(looks: list[Looks]) -> Looks:
    """The same of each volume; the first that does not hold is an error."""

    async def asked() -> Finding:
        found = await asyncio.gather(*(look() for look in looks))
        return Finding(finding="; ".join(dict.fromkeys(one.finding for one in found)))

    return asked


async def _checked(title: str, look: Looks) -> Check:
    try:
        found = await asyncio.wait_for(look(), PATHS_LIMIT + 5)
    except ApplicationError as error:
        return Check(title=title, holds=False, said=error.message)
    except TimeoutError:
        return Check(title=title, holds=False, said="no answer in time")
    return Check(title=title, holds=True, said=found.finding)
