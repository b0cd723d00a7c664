"""All activities, bound to the clients of one inventory."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from activities.bmc.power import Power
from activities.clients.controllers import Controllers
from activities.clients.proxmox import PveApi
from activities.clients.purity import Arrays
from activities.clients.quick import LIMIT, Clients
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.clients.webhook import post_text
from activities.ha.maintenance import Maintenance
from activities.ha.moves import Migration
from activities.ha.placement import Placements
from activities.ha.recovery import Ha
from activities.ha.reviving import Reviving
from activities.ha.switches import Freeze
from activities.hosts.lvm import Lvm
from activities.hosts.nodes import Hosts
from activities.hosts.paths import Paths
from activities.hosts.votes import Quorum
from activities.people.approvals import Approvals
from activities.people.hooks import Hooks
from activities.people.notices import Notices
from activities.proxmox.cluster import Proxmox
from activities.proxmox.guests import Guests
from activities.proxmox.rights import Rights
from activities.purity.access import Access
from activities.purity.pods import Purity
from activities.records.comparison import Comparison
from activities.records.interlock import Interlock
from activities.records.inventory import InventoryReader
from activities.records.ledger import LedgerBook
from activities.records.losses import Losses
from activities.records.plans import Plans
from activities.serving import DEFINITION, registered
from activities.watch.announcing import Announcing
from activities.watch.dark import Dark
from activities.watch.incidents import Incidents
from activities.watch.judging import Judging
from activities.watch.quarantine import QuarantineWard
from activities.watch.survivor import Survivor
from activities.watch.vantage import storage_and_power
from activities.watch.watcher import Watching
from cluster.around import Watch
from cluster.breakglass.called import BREAKERS
from cluster.inventory import Inventory

# Seconds that a call to the dead-man's service may take.
CALLED_WITHIN = 10.0
# Threads of the watch: each node's API and management controller, both arrays, and as many again that hang.
WATCHERS_EACH, WATCHERS_BESIDE = 4, 8


def activities(
    inventory: Inventory,
    base: Path,
    hooks: Sequence[str] = (),
    folders: Sequence[Path] = (),
    place: str = "",
    speed: float = 1.0,
    ui: str = "",
) -> list[Callable[..., Any]]:
    """All activities, bound to the clients of that inventory; `base` is the folder its paths count from.

    `folders` are those that outgoing secrets may come from, `place` is where the worker stands, `speed` how much faster
    than the wall the cluster's time runs, `ui` where people find Temporal's web UI.
    """
    secrets = Secrets(base, folders)
    arrays, api, ssh = Arrays(inventory.arrays, secrets), PveApi(inventory, secrets), SshHosts(inventory, secrets)
    hasty = quick(inventory, secrets)
    # what is done behind the glass needs two people, whatever the policy asks for otherwise
    two = Approvals(inventory.approvals.signed_by(BREAKERS), secrets, cluster=inventory.name)
    rooms = (
        InventoryReader(inventory, speed),
        Plans(),
        Hooks(hooks, secrets),
        purity := Purity(arrays),
        Access(arrays),
        proxmox := Proxmox(api),
        Guests(api),
        hosts := Hosts(ssh),
        paths := Paths(ssh),
        quorum := Quorum(ssh),
        Lvm(ssh),
        Watching(inventory, hasty, place, speed, deadman(inventory.watch, secrets)),
        Judging(inventory, hasty, place, speed),
        Ha(hasty, speed),
        approvals := Approvals(inventory.approvals, secrets, cluster=inventory.name),
        ledger := LedgerBook(inventory, speed),
        interlock := Interlock(inventory, ledger, speed),
        Comparison(api, interlock),
        Losses(),
        Incidents(inventory),
        Announcing(inventory),
        Migration(hasty, api, approvals, speed),
        Placements(api, hasty),
        maintenance := Maintenance(hasty, approvals, speed),
        Freeze(api, approvals),
        Rights(inventory, api, arrays),
        survivor := Survivor(inventory, arrays, ssh, api, speed),
        Notices(inventory.notify, secrets, ui),
        ward := QuarantineWard(
            inventory,
            api,
            ssh,
            hosts=hosts,
            paths=paths,
            survivor=survivor,
            quorum=quorum,
            proxmox=proxmox,
            purity=purity,
            speed=speed,
        ),
        Dark(inventory, hasty, maintenance, ward, speed),
        Power(inventory, Controllers(secrets), hasty, two, speed),
        Reviving(inventory, hasty, api, two, partial(storage_and_power, inventory, hasty, speed), speed),
    )
    return [method for room in rooms for method in _definitions(room)]


def deadman(watch: Watch, secrets: Secrets) -> Callable[[], None] | None:
    """What says to a service elsewhere that the cluster is looked at; None where the inventory names none."""
    if (reference := watch.deadman) is None:
        return None

    def call() -> None:
        post_text(secrets.address(reference), "", {}, CALLED_WITHIN)

    return call


def quick(inventory: Inventory, secrets: Secrets) -> Clients:
    """For rooms that work while something is dark: threads and connections of their own, and they give up early.

    A watch asks each host every few seconds anyhow, and waits for no answer longer than that.
    """
    return Clients(
        ssh=SshHosts(inventory, secrets, keepalive=timedelta(minutes=1)),
        api=PveApi(inventory, secrets, timeout=LIMIT),
        arrays=Arrays(inventory.arrays, secrets, read_timeout=LIMIT),
        power=Controllers(secrets).power,
        threads=ThreadPoolExecutor(WATCHERS_EACH * len(inventory.nodes) + WATCHERS_BESIDE, thread_name_prefix="watch"),
    )


def _definitions(room: object) -> list[Callable[..., Any]]:
    methods = (getattr(room, name) for name in dir(type(room)) if not name.startswith("_"))
    return [one for method in methods if hasattr(method, DEFINITION) for one in registered(method)]
