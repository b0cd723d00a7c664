"""The deployment: from bare arrays and a bare cluster to guests under an armed HA."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from cluster.plan import Mode
from lab.built import build
from runbooks.deploy import DeployReport, DeployStretchedCluster
from tests.conftest import Start, working
from tests.runs import everything_written
from tests.twin import TwinThread
from workers.cli.follow import start_run, why
from workers.cli.replay import replayer
from workers.errors import Unusable
from workflows.catalogue import RunbookRequest

WWID = "3624a9370730d187406c1477500a7aa92"


@dataclass
class Deployed:
    """One cluster, planned, built, and built again; what was seen after each."""

    plan: DeployReport
    changes_after_plan: list[str]
    first: DeployReport
    changes_after_first: list[str]
    second: DeployReport
    changes_after_second: list[str]
    page: str
    history: str
    guests: list[dict[str, Any]]
    histories: list[WorkflowHistory]


@pytest_asyncio.fixture(scope="module")
async def deployed(client: Client, running_twin: TwinThread) -> Deployed:
    """Deploy the example on a bare twin."""
    twin = running_twin
    twin.reset()
    async with working(client, twin.inventory, twin.path.parent) as start:
        planning = await start(RunbookRequest(mode=Mode.PLAN))
        plan, after_plan = await planning.result(), twin.change_lines()
        run = await start()
        first, after_first = await run.result(), twin.change_lines()
        page = await run.query("page")
        history = await everything_written(run)
        again = await start()
        second, after_second = await again.result(), twin.change_lines()
        histories = [await one.fetch_history() for one in (planning, run, again)]
        return Deployed(
            plan, after_plan, first, after_first, second, after_second, page, history, guests(twin), histories
        )


async def test_builds_the_articles_cluster_and_proves_every_layer(deployed: Deployed):
    """One run takes bare arrays and a bare cluster to two guests under an armed HA."""
    report = deployed.first

    assert report.proof is not None
    assert report.proof.votes.model_dump() == {"expected": 7, "total": 7, "quorum": 4}
    assert {(paths.optimized, paths.non_optimized) for paths in report.proof.paths.values()} == {(4, 4)}
    assert len(report.proof.paths) == 6
    assert report.proof.ha.model_dump() == {"armed": True, "lrms": 6, "started": ("vm:300", "vm:301")}
    assert report.wwid == WWID
    assert report.changed == len(report.planned) > 0
    assert {entry["vmid"]: entry["node"] for entry in deployed.guests} == {300: "pxmx01-01", 301: "pxmx01-02"}


@pytest.mark.parametrize(
    "line",
    [
        "Inventory is read: pxmx-cluster: 3 nodes at site-a and 3 nodes at site-b, 7 votes",
        "Array X90R3-SiteA is ready: Purity 6.9.3, X90R3-SiteB connected for sync replication, 4 iSCSI portals",
        f"Pod webb-ac-proxmox-01 holds the volume: pod created, volume of 10 TiB, WWID {WWID}",
        "Pod is online on both arrays: online on X90R3-SiteA and X90R3-SiteB",
        "Hosts see the volume on X90R3-SiteA: 6 hosts in pxmx-cluster-1, LUN 253",
        "Hosts see the volume on X90R3-SiteB: 6 hosts in pxmx-cluster-02, LUN 252",
        "Paths of pxmx01-01: 4 optimized through X90R3-SiteA, 4 non-optimized",
        "Paths of pxmx02-01: 4 optimized through X90R3-SiteB, 4 non-optimized",
        "Volume group pxmx-ac-vg is seen by all nodes: pxmx-ac-vg, 10 TiB, seen by 6 nodes",
        "Storage pxmx-ac-shared is active on all nodes: pxmx-ac-shared active on 6 nodes",
        "Quorum device votes: 7 of 7 votes, quorum 4, device votes",
        "Guest ac-test-vm-01 runs on pxmx01-01: runs on pxmx01-01",
        "HA keeps the guests started: armed, 6 LRMs well, started: vm:300, vm:301",
    ],
)
async def test_tells_its_story_in_the_operators_words(deployed: Deployed, line: str):
    """The steps read as the procedure, each with what was found."""
    assert line in [f"{step.title}: {step.finding}" for step in deployed.first.steps]


async def test_a_plan_lists_every_change_in_order_and_makes_none(deployed: Deployed):
    """The plan of a bare world follows the procedure, from the pod to HA."""
    planned = [str(intent) for intent in deployed.plan.planned]

    assert planned[:3] == [
        "X90R3-SiteA: create pod webb-ac-proxmox-01",
        "X90R3-SiteA: create volume webb-ac-proxmox-01::ac-pve-test-01 (10 TiB)",
        "X90R3-SiteA: stretch pod webb-ac-proxmox-01 (to X90R3-SiteB)",
    ]
    assert planned[-4:] == [
        "pxmx01-02: configure guest 301 ac-test-vm-02 (1 core, 1 GiB, no network)",
        "pxmx01-02: start guest 301 ac-test-vm-02",
        "HA: register vm:300 (state started)",
        "HA: register vm:301 (state started)",
    ]
    assert (deployed.plan.changed, deployed.plan.proof, deployed.changes_after_plan) == (0, None, [])


async def test_what_is_applied_is_what_was_planned(deployed: Deployed):
    """Plan and apply are one code: same changes, same digest."""
    assert deployed.first.digest == deployed.plan.digest
    assert deployed.first.changed == len(deployed.plan.planned)


async def test_a_second_apply_changes_nothing(deployed: Deployed):
    """Everything is found as wished, and the world's log does not grow."""
    assert (deployed.second.changed, deployed.second.planned) == (0, ())
    assert deployed.second.proof == deployed.first.proof
    assert deployed.changes_after_second == deployed.changes_after_first


async def test_each_effect_happens_once(deployed: Deployed):
    """The world's own log holds no change twice."""
    assert len(deployed.changes_after_first) == len(set(deployed.changes_after_first)) > 100


async def test_another_worker_can_carry_on_from_every_task(deployed: Deployed):
    """Replayed, each run asks for the same as it did; `make test-kills` has one that is replayed at every task."""
    for history in deployed.histories:
        await replayer().replay_workflow(history)


async def test_the_page_says_what_happened_and_what_is_asked(deployed: Deployed):
    """The page in the Temporal UI fits, and finished chapters shrink to one line."""
    assert deployed.page.startswith("### Deploy the stretched cluster pxmx-cluster (apply)\n\n")
    assert f"{deployed.first.changed} changes made. No action needed.**" in deployed.page
    lines = [" | ".join(part for part in line.strip("| ").split(" | ")) for line in deployed.page.splitlines()]
    without_times = [
        re.sub(r"^\d\d:\d\d \| \d\d:\d\d:\d\d \| (.) \| (.*?) \| .*? \| (.*)$", r"\1 \2: \3", line) for line in lines
    ]
    assert "✓ Preflight: 12 steps" in without_times
    assert f"✓ Plan: 16 steps, {deployed.first.changed} changes planned" in without_times
    assert f"✓ Apply: 16 steps, {deployed.first.changed} changes made" in without_times
    assert "✓ HA is armed, guests started: armed, 6 LRMs well, started: vm:300, vm:301" in without_times
    assert len(deployed.page.encode()) < 3000


async def test_no_secret_is_in_the_history(deployed: Deployed, running_twin: TwinThread):
    """Neither tokens nor keys leave the clients."""
    folder = running_twin.path.parent / "secrets"
    tokens = [(folder / name).read_text().strip() for name in ("X90R3-SiteA.token", "X90R3-SiteB.token", "pve.token")]

    assert "file:secrets/X90R3-SiteA.token" in deployed.history  # the references are there, so the search sees all
    assert not any(token in deployed.history for token in tokens)
    assert "PRIVATE KEY" not in deployed.history


async def test_empty_input_plans_the_workers_own_cluster(twin: TwinThread, start: Start):
    """The UI's start form may be left empty: that is safe."""
    run = await start(None, empty=True)
    report = DeployReport.model_validate(await run.result())

    assert report.mode is Mode.PLAN
    assert twin.change_lines() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "destroy"}, "mode: Input should be 'plan' or 'apply', given 'destroy'"),
        ({"mode": "apply", "clutser": "x"}, "clutser: Extra inputs are not permitted, given 'x'"),
        ("just text", "input: Input should be an object, given 'just text'"),
    ],
)
async def test_wrong_input_fails_the_run_at_once(twin: TwinThread, start: Start, wrong: object, said: str):
    """The run fails with field, value and an example; it never hangs, and nobody has to read a stack trace."""
    run = await start(None, raw=wrong)

    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert why(caught.value) == said + '. Example: {"mode": "apply"}'
    assert "site-packages" not in await everything_written(run)


async def test_a_plan_goes_on_where_nodes_are_to_get_their_paths_again(twin: TwinThread, start: Start):
    """The volume group is there: another node sees it. It is not planned, and no step waits for what is planned."""
    twin.call(build(twin.world))
    lost = [twin.inventory.site_nodes[number].name for number in (2, 4)]
    for node in lost:
        twin.world.nodes[node].sessions.clear()
    run = await start(RunbookRequest(mode=Mode.PLAN), limit=60)
    report = await run.result()

    assert {intent.where for intent in report.planned} == set(lost)
    assert not [str(intent) for intent in report.planned if "volume" in intent.what]
    findings = {step.title: step.finding for step in report.steps}
    assert findings["Volume group pxmx-ac-vg is seen by all nodes"] == (
        "pxmx-ac-vg, 10 TiB, seen by 4 nodes, by pxmx01-03, pxmx02-02 once their paths are there"
    )
    assert findings["Storage pxmx-ac-shared is active on all nodes"] == (
        "pxmx-ac-shared active on 4 nodes, on pxmx01-03, pxmx02-02 once their paths are there"
    )


async def test_another_clusters_name_is_refused(twin: TwinThread, start: Start):
    """A worker serves one cluster, and says which."""
    run = await start(RunbookRequest(cluster="elsewhere"))

    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert why(caught.value) == (
        "Inventory is read: NotFound: cluster 'elsewhere' is unknown here: this worker serves 'pxmx-cluster'"
    )


async def test_a_second_start_says_that_it_runs_already(client: Client):
    """One run per cluster and procedure."""
    running = await start_run(client, DeployStretchedCluster, RunbookRequest(), "busy", "nobody-works-here")
    try:
        with pytest.raises(Unusable, match="deploy/busy is running already"):
            await start_run(client, DeployStretchedCluster, RunbookRequest(), "busy", "nobody-works-here")
    finally:
        await running.terminate()


def guests(twin: TwinThread) -> list[dict[str, Any]]:
    """The two guests as the cluster lists them, through the client the engine uses."""
    entries = PveApi(twin.inventory, Secrets(twin.path.parent)).get("cluster/resources", type="vm")
    return [entry for entry in entries if entry["vmid"] in (300, 301)]
