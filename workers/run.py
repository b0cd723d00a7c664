"""The worker: clients and activities bound to one inventory, and every runbook."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.attempt import OFTEN
from activities.clients.proxmox import PveApi
from activities.clients.purity import Arrays
from activities.clients.quick import LIMIT, Clients
from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.ha.maintenance import Maintenance
from activities.ha.moves import Migration
from activities.ha.placement import Placements
from activities.ha.recovery import Ha
from activities.ha.switches import Freeze
from activities.hosts.lvm import Lvm
from activities.hosts.nodes import Hosts
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
from activities.watch.dark import Dark
from activities.watch.incidents import Incidents
from activities.watch.quarantine import QuarantineWard
from activities.watch.survivor import Survivor
from activities.watch.watcher import Watching
from cluster.inventory import Inventory
from runbooks import ALL_RUNBOOKS
from workers.bootstrap import bootstrap
from workers.pulse import Pulse
from workers.settings import Settings
from workflows.claim import Claim
from workflows.ledger import ClusterLedger
from workflows.watch import ClusterWatch

# Our own pure packages need no fresh copy for every run of a workflow.
SANDBOX = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(
        "activities",
        "cluster",
        "workflows",
        "runbooks.homecoming",
        "runbooks.loss",
        "runbooks.site_work",
        "opentelemetry",
    )
)

# A run that leaves the cache with a step under way makes OpenTelemetry complain about a context that is gone anyway.
logging.getLogger("opentelemetry.context").setLevel(logging.CRITICAL)


class _InOneLine(logging.Filter):
    """A refusal in one of the seven words is no bug: its sentence says all, the place in our code nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ApplicationError | asyncio.CancelledError):
            about = getattr(record, "temporal_activity", {})
            record.msg, record.exc_info = "%s, attempt %s: %s", None
            record.args = (about.get("activity_id", "?"), about.get("attempt", "?"), str(error) or "stopped")
        return True


activity.logger.base_logger.addFilter(_InOneLine())

# Who asks Temporal reads which build has done a task. Without one the SDK hashes every module that is loaded: seconds.
BUILD = f"quorate-{version('quorate')}"

# Threads of the watch: each node's API and management controller, both arrays, and as many again that hang.
WATCHERS_EACH, WATCHERS_BESIDE = 4, 8

# Wrong input fails the run at once, with pydantic's words, instead of a task that is tried for ever.
FAILURES: list[type[BaseException]] = [ValidationError]


def activities(
    inventory: Inventory, base: Path, hooks: Sequence[str] = (), folders: Sequence[Path] = (), place: str = ""
) -> list[Callable[..., Any]]:
    """All activities, bound to the clients of that inventory; `base` is the folder its paths count from.

    `folders` are those that outgoing secrets may come from, `place` is where the worker stands.
    """
    secrets = Secrets(base, folders)
    arrays, api, ssh = Arrays(inventory.arrays, secrets), PveApi(inventory, secrets), SshHosts(inventory, secrets)
    quick = _quick(inventory, secrets)
    rooms = (
        InventoryReader(inventory),
        Plans(),
        Hooks(hooks, secrets),
        purity := Purity(arrays),
        Access(arrays),
        proxmox := Proxmox(api),
        Guests(api),
        hosts := Hosts(ssh),
        quorum := Quorum(ssh),
        Lvm(ssh),
        Watching(inventory, quick, place),
        Ha(quick, inventory.speed),
        approvals := Approvals(inventory.approvals, secrets, cluster=inventory.name),
        ledger := LedgerBook(inventory),
        interlock := Interlock(inventory, ledger),
        Comparison(api, interlock),
        Losses(),
        Incidents(inventory),
        Migration(quick, api, approvals, inventory.speed),
        Placements(api, quick),
        maintenance := Maintenance(quick, approvals, inventory.speed),
        Freeze(api, approvals),
        Rights(inventory, api),
        survivor := Survivor(inventory, arrays, ssh, api),
        Notices(inventory.notify, secrets),
        ward := QuarantineWard(
            inventory, api, ssh, hosts=hosts, survivor=survivor, quorum=quorum, proxmox=proxmox, purity=purity
        ),
        Dark(inventory, quick, maintenance, ward),
    )
    return [method for room in rooms for method in _definitions(room)]


def _quick(inventory: Inventory, secrets: Secrets) -> Clients:
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
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


def worker(client: Client, inventory: Inventory, base: Path, settings: Settings) -> Worker:
    """A worker for every runbook; use it as an async context."""
    known = activities(inventory, base, settings.hooks, settings.secrets, settings.at)
    interlock = next(room for room in (getattr(one, "__self__", None) for one in known) if isinstance(room, Interlock))
    return Worker(
        client,
        task_queue=settings.task_queue,
        build_id=BUILD,
        workflows=[*ALL_RUNBOOKS, Claim, ClusterLedger, ClusterWatch],
        activities=known,
        activity_executor=ThreadPoolExecutor(settings.activities, thread_name_prefix="activity"),
        max_concurrent_activities=settings.activities,
        max_cached_workflows=settings.cached_workflows,
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=FAILURES,
        interceptors=[Pulse(partial(interlock.before_a_change, client))],
        graceful_shutdown_timeout=settings.grace,
        max_heartbeat_throttle_interval=OFTEN,
    )


def worker_at(client: Client, inventory: Inventory, base: Path, settings: Settings, site: str) -> Worker:
    """What a process at that site is asked for besides: what it reaches from there."""
    secrets = Secrets(base)
    watching = Watching(inventory, _quick(inventory, secrets), site)
    return Worker(
        client,
        task_queue=f"{settings.task_queue}@{site}",
        build_id=BUILD,
        activities=[watching.reach],
        activity_executor=ThreadPoolExecutor(2),
        interceptors=[Pulse()],
        graceful_shutdown_timeout=settings.grace,
    )


async def until_stopped(
    client: Client,
    inventory: Inventory,
    base: Path,
    settings: Settings,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Work until SIGTERM or Ctrl-C, then let running steps end; `ready` is called once the worker polls.

    A worker that stands at a site (`Settings.at`) is also asked what it reaches there.
    """
    await bootstrap(client)
    if settings.speed is not None:
        inventory = inventory.model_copy(update={"speed": settings.speed})
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(worker(client, inventory, base, settings))
        if settings.at in [site.name for site in inventory.sites]:
            await stack.enter_async_context(worker_at(client, inventory, base, settings, settings.at))
        ready()
        await stop.wait()
