"""The deployment: from bare arrays and a bare cluster to guests under an armed HA."""

import json

import pytest
from temporalio.client import WorkflowFailureError

from cluster.plan import Mode
from runbooks.deploy import DeployReport, DeployRequest
from tests.conftest import Start
from tests.twin import TwinThread
from workers.follow import why

WWID = "3624a9370730d187406c1477500a7aa92"

PLAN = [
    "X90R3-SiteA: create pod webb-ac-proxmox-01",
    "X90R3-SiteA: create volume webb-ac-proxmox-01::ac-pve-test-01 (10 TiB)",
    "X90R3-SiteA: stretch pod webb-ac-proxmox-01 (to X90R3-SiteB)",
]


def lines(report: DeployReport) -> list[str]:
    return [f"{step.title}: {step.finding}" for step in report.steps]


async def test_builds_the_articles_cluster_and_proves_every_layer(twin: TwinThread, start: Start):
    """One run takes bare arrays and a bare cluster to two guests under an armed HA."""
    run = await start()
    report = await run.result()

    assert report.proof is not None
    assert report.proof.votes.model_dump() == {"expected": 7, "total": 7, "quorum": 4}
    assert {(paths.optimized, paths.non_optimized) for paths in report.proof.paths.values()} == {(4, 4)}
    assert len(report.proof.paths) == 6
    assert report.proof.ha.model_dump() == {"armed": True, "lrms": 6, "started": ("vm:300", "vm:301")}
    assert report.wwid == WWID
    assert report.changed == len(report.planned) > 0
    assert {entry["node"] for entry in guests(twin)} == {"pxmx01-01", "pxmx01-02"}


async def test_tells_its_story_in_the_operators_words(twin: TwinThread, start: Start):
    """The steps read as the procedure, each with what was found."""
    run = await start()
    story = lines(await run.result())

    for line in (
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
    ):
        assert line in story


async def test_a_plan_lists_every_change_and_makes_none(twin: TwinThread, start: Start):
    """The plan of a bare world names each change in the order of the procedure."""
    run = await start(DeployRequest(mode=Mode.PLAN))
    report = await run.result()

    planned = [str(intent) for intent in report.planned]
    assert planned[:3] == PLAN
    assert planned[-1] == "HA: register vm:301 (state started)"
    assert "pxmx01-01: set up quorum device" in " ".join(planned)
    assert (report.changed, report.proof) == (0, None)
    assert twin.change_lines() == []


async def test_what_is_applied_is_what_was_planned(twin: TwinThread, start: Start):
    """Plan and apply are one code: same changes, same digest."""
    plan = await (await start(DeployRequest(mode=Mode.PLAN))).result()
    applied = await (await start()).result()

    assert applied.digest == plan.digest
    assert applied.changed == len(plan.planned)


async def test_a_second_apply_changes_nothing(twin: TwinThread, start: Start):
    """Everything is found as wished, and the world's log does not grow."""
    await (await start()).result()
    before = twin.change_lines()

    second = await (await start()).result()

    assert second.changed == 0
    assert second.planned == ()
    assert twin.change_lines() == before


async def test_each_effect_happens_once(twin: TwinThread, start: Start):
    """The world's own log holds no change twice."""
    await (await start()).result()

    changes = twin.change_lines()
    assert len(changes) == len(set(changes)) > 60


async def test_the_page_says_what_happened_and_what_is_asked(twin: TwinThread, start: Start):
    """The page in the Temporal UI fits, and finished chapters shrink to one line."""
    run = await start()
    await run.result()
    page = await run.query("page")

    assert page.startswith("### Deploy the stretched cluster pxmx-cluster (apply)\n\n")
    assert "changes made. Nothing is asked of you.**" in page
    assert "| ✓ | Preflight | 12 steps |" in page
    assert "| ✓ | HA is armed, guests started | armed, 6 LRMs well, started: vm:300, vm:301 |" in page
    assert len(page.encode()) < 3000


async def test_empty_input_plans_the_workers_own_cluster(twin: TwinThread, start: Start):
    """The UI's start form may be left empty: that is safe."""
    run = await start(None, empty=True)
    report = DeployReport.model_validate(await run.result())

    assert report.mode is Mode.PLAN
    assert twin.change_lines() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "destroy"}, "Input should be 'plan' or 'apply'"),
        ({"mode": "apply", "clutser": "x"}, "clutser"),
        ("just text", "Input should be"),
    ],
)
async def test_wrong_input_fails_the_run_at_once(twin: TwinThread, start: Start, wrong: object, said: str):
    """The run fails with the field named, it never hangs."""
    run = await start(None, raw=wrong)

    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert said in why(caught.value)


async def test_another_clusters_name_is_refused(twin: TwinThread, start: Start):
    """A worker serves one cluster, and says which."""
    run = await start(DeployRequest(cluster="elsewhere"))

    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert why(caught.value) == (
        "Inventory is read: NotFound: cluster 'elsewhere' is unknown here: this worker serves 'pxmx-cluster'"
    )


async def test_no_secret_is_in_the_history(twin: TwinThread, start: Start):
    """Neither tokens nor keys leave the clients."""
    run = await start()
    await run.result()
    history = json.dumps((await run.fetch_history()).to_json())

    folder = twin.path.parent / "secrets"
    secrets = [path.read_text().strip() for path in folder.iterdir() if path.suffix == ".token"]
    assert len(secrets) == 3
    assert not any(secret in history for secret in secrets)
    assert "PRIVATE KEY" not in history


def guests(twin: TwinThread) -> list[dict[str, object]]:
    """The two guests as the cluster lists them, through the client the engine uses."""
    from activities.clients.proxmox import PveApi
    from activities.clients.secrets import Secrets

    entries = PveApi(twin.inventory, Secrets(twin.path.parent)).get("cluster/resources", type="vm")
    return [entry for entry in entries if entry["vmid"] in (300, 301)]
