"""The worker: clients and activities bound to one inventory, and every runbook."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.attempt import OFTEN
from activities.clients.secrets import Secrets
from activities.records.interlock import Interlock
from activities.serving import registered
from activities.watch.watcher import Watching
from cluster.inventory import Inventory
from runbooks import ALL_RUNBOOKS
from workers.audit.keeper import Heads
from workers.audit.process import keeping
from workers.report.written import FOLDER, LAST_WORDS, Reports
from workers.settings import Settings
from workers.telemetry.survey import surveyed
from workers.temporal.bootstrap import bootstrap
from workers.worker import logs
from workers.worker.pulse import Pulse
from workers.worker.rehearsal import speed_of_time
from workers.worker.wiring import activities, quick
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
        "workers.telemetry",
        "opentelemetry",
    )
)

# Who asks Temporal reads which build has done a task. Without one the SDK hashes every module that is loaded: seconds.
BUILD = f"quorate-{version('quorate')}"

# Wrong input fails the run at once, with pydantic's words, instead of a task that is tried for ever.
FAILURES: list[type[BaseException]] = [ValidationError]


def worker(client: Client, inventory: Inventory, base: Path, settings: Settings) -> Worker:
    """A worker for every runbook; use it as an async context. Unusable where time may not run at that speed."""
    logs.in_short()
    speed = speed_of_time(inventory, settings)
    known = activities(inventory, base, settings.hooks, settings.secrets, settings.at, speed, settings.ui)
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
    watching = Watching(inventory, quick(inventory, secrets), site, speed_of_time(inventory, settings))
    return Worker(
        client,
        task_queue=f"{settings.task_queue}@{site}",
        build_id=BUILD,
        activities=registered(watching.reach),
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
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(worker(client, inventory, base, settings))
        if settings.at in [site.name for site in inventory.sites]:
            await stack.enter_async_context(worker_at(client, inventory, base, settings, settings.at))
        await stack.enter_async_context(surveyed(client, inventory.name))

        def reporting(heads: Heads) -> Heads:
            reports = Reports(heads, settings.audit_folder, settings.state / FOLDER)
            stack.push_async_callback(reports.finished, LAST_WORDS)
            return reports

        await stack.enter_async_context(keeping(client, inventory.name, base, settings, reporting))
        ready()
        await stop.wait()
