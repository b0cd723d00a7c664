"""How vantage points are asked: what cannot be read is silence, and what is cut short tells what it knows."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.clients.quick import Clients
from activities.errors import Unauthorized, Unreachable
from activities.parsing.looks import array_view, cluster_view
from activities.watch.vantage import Vantage
from activities.watch.watcher import Watching
from cluster.facts import ClusterLook
from cluster.memory import Memory
from cluster.watching import WatchWish
from tests.verdict.world import INVENTORY, NODES, START, A, World

GOOD = [{"type": "node", "name": "pxmx01-01", "nodeid": 1}, {"type": "cluster", "quorate": 1}]
LISTED = {"type": "qemu", "vmid": 300, "node": "pxmx01-01", "status": "running"}

# What an API may say one day: another field, another type, no list, nothing.
ODD: dict[str, Any] = {
    "a field is missing": [{"type": "node", "name": "pxmx01-01"}],
    "a number is a word": [{"type": "node", "name": "pxmx01-01", "nodeid": "first"}],
    "no list": None,
    "a list of words": ["pxmx01-01"],
    "a name is a number": [{"type": "node", "name": 7, "nodeid": 1}],
}


def _asked(answers: list[Any]) -> Vantage:
    told = iter(answers)

    async def ask() -> dict[str, Any]:
        answer = next(told)
        if isinstance(answer, Exception):
            raise answer
        return cluster_view(answer, {}, [])

    return Vantage(ClusterLook(by="pxmx01-01", how="api", domain=A, at=START), 3.0, ask)


@pytest.mark.parametrize("odd", ODD)
async def test_an_answer_of_another_shape_is_silence(odd: str):
    """Never yesterday's answer: the source is silent, and says why."""
    vantage = _asked([GOOD, ODD[odd], GOOD])
    told = []
    for _ in range(3):
        await vantage.ask()
        told.append(vantage.latest)

    first, second, third = told
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.answered, second.answered, third.answered) == (True, False, True)
    assert second.silent.startswith(("an answer that cannot be read", "Unreachable"))
    assert second.at > first.at


async def test_a_refusal_keeps_its_word():
    """A right that is missing is told apart from a host that is silent."""
    vantage = _asked([Unauthorized("pxmx01-01: no such token"), Unreachable("pxmx01-01 does not answer")])
    told = []
    for _ in range(2):
        await vantage.ask()
        assert vantage.latest is not None
        told.append(vantage.latest.silent)

    assert told == ["Unauthorized: pxmx01-01: no such token", "Unreachable: pxmx01-01 does not answer"]


def _manager(**more: Any) -> dict[str, Any]:
    status = {"master_node": "pxmx01-01", "timestamp": 1000, "node_status": dict.fromkeys(NODES, "online"), **more}
    return {"manager_status": status, "lrm_status": {node: {"timestamp": 1001} for node in NODES}}


def test_an_lrm_that_has_not_written_for_long_is_old():
    """By HA's own times: thirty seconds, and one clock that is ahead makes no other one old."""
    manager = _manager()
    manager["lrm_status"]["pxmx01-02"]["timestamp"] = 960
    manager["lrm_status"]["pxmx01-03"]["timestamp"] = 1300
    del manager["lrm_status"]["pxmx02-01"]

    view = cluster_view(GOOD, manager, [])
    assert (view["lrms_old"], view["master_old"]) == (("pxmx01-02", "pxmx02-01"), False)
    assert cluster_view(GOOD, _manager(timestamp=900), [])["master_old"]


def test_most_lrms_may_be_dead():
    """Four of six: those that write, and the master, tell what time it is."""
    manager = _manager()
    for node in NODES[2:]:
        manager["lrm_status"][node]["timestamp"] = 900

    assert cluster_view(GOOD, manager, [])["lrms_old"] == tuple(sorted(NODES[2:]))


def test_two_sessions_at_a_port_are_one_port():
    """A host with two interfaces: two of four ports are dark, though it has four sessions."""
    rows = [{"initiator": {"iqn": "iqn.x"}, "target": {"portal": f"10.0.0.{port}:3260"}} for port in (1, 1, 2, 2)]

    assert array_view(None, None, rows, [{}] * 4, {"iqn.x": "n"})["logins"] == {"n": 2}


def test_what_ha_wants_and_what_runs_are_two_things():
    """Started and not running, a guest that may not be seen, one that is stopped, storage by node."""
    services = {
        "vm:300": {"node": "pxmx01-01", "state": "started", "running": 1},
        "vm:301": {"node": "pxmx01-02", "state": "started"},
        "ct:137": {"node": "pxmx01-02", "state": "stopped"},
    }
    resources: list[dict[str, Any]] = [
        LISTED,
        {"type": "qemu", "vmid": 301, "node": "pxmx01-02", "status": "stopped"},
        {"type": "storage", "storage": "pxmx-ac-shared", "node": "pxmx01-01", "status": "available"},
        {"type": "storage", "storage": "pxmx-ac-shared", "node": "pxmx01-02", "status": "unknown"},
        {"type": "storage", "storage": "local", "node": "pxmx01-02", "status": "unknown"},
        {"type": "node", "node": "pxmx01-01", "status": "online"},
    ]
    view = cluster_view(GOOD, _manager(service_status=services), resources, "pxmx-ac-shared")

    assert (view["idle"], view["hidden"], view["stopped"]) == (("vm:301",), ("ct:137",), (301,))
    assert view["storages"] == {"pxmx01-01": "available", "pxmx01-02": "unknown"}


def test_a_destroyed_pod_is_no_pod():
    """Purity lists it for a day."""
    pod = {"destroyed": True, "arrays": [{"name": "X90R3-SiteA", "status": "online"}]}

    assert array_view(pod, None, [], [], {})["copies"] == {}


class Dead:
    """No host answers, whatever it is asked."""

    def __getattr__(self, _: str) -> Any:
        async def run(*_: Any, **__: Any) -> Any:
            raise Unreachable("no host answers")

        return run

    def __getitem__(self, _: str) -> Any:
        raise Unreachable("no host answers")


class DeadApi:
    def get(self, *_: Any, **__: Any) -> Any:
        raise Unreachable("no host answers")


def _dark() -> Clients:
    def off(_: object) -> bool:
        raise Unreachable("no host answers")

    dead: Any = Dead()
    api: Any = DeadApi()
    return Clients(ssh=dead, api=api, arrays=dead, power=off, threads=ThreadPoolExecutor(8))


async def test_a_look_that_is_cut_short_tells_what_it_knows():
    """The run asks for an end: the answer is no new verdict, and its memory counts."""
    known = World().memory
    environment, begun = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *_: begun.set()
    watching = Watching(INVENTORY, _dark(), speed=10.0)
    looking = asyncio.ensure_future(environment.run(watching.look, WatchWish(memory=known, until=timedelta(minutes=1))))
    await asyncio.wait_for(begun.wait(), 20)
    environment.cancel(activity.ActivityCancellationDetails(cancel_requested=True))
    seen = await looking

    assert not seen.new
    assert seen.looked_at is not None
    assert seen.memory.services == known.services
    assert seen.memory.quiet.keys() >= {f"{node} (ssh)" for node in NODES}


async def test_a_worker_that_ends_hands_its_look_to_another_one():
    """Nobody has asked for an end: the next attempt goes on from the last beat."""
    environment, begun = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *_: begun.set()
    watching = Watching(INVENTORY, _dark(), speed=10.0)
    looking = asyncio.ensure_future(environment.run(watching.look, WatchWish(memory=Memory())))
    await asyncio.wait_for(begun.wait(), 20)
    environment.cancel(activity.ActivityCancellationDetails(worker_shutdown=True))

    with pytest.raises(asyncio.CancelledError):
        await looking


def test_ha_is_told_in_the_words_of_the_node_that_answers():
    """What its clock calls old or of the future, the fencing, and what people want."""
    current: list[dict[str, Any]] = [
        {"type": "quorum", "id": "quorum", "quorate": 1},
        {"type": "master", "node": "pxmx01-01", "status": "pxmx01-01 (old timestamp - dead?, Sat)"},
        {"type": "lrm", "node": "pxmx01-02", "status": "pxmx01-02 (detected time drift!, watchdog standby, Sat)"},
        {"type": "lrm", "node": "pxmx01-03", "status": "pxmx01-03 (active, watchdog active, Sat)"},
        {"type": "fencing", "armed-state": "standby", "status": "standby (CRM watchdog standby)"},
        {"type": "service", "sid": "vm:300", "request_state": "disabled"},
    ]
    view = cluster_view(GOOD, _manager(), [], "", current)

    assert (view["called_old"], view["called_ahead"], view["armed"]) == (("master",), ("pxmx01-02",), "standby")
    assert view["requests"] == {"vm:300": "disabled"}
    assert view["stamps"] == {**dict.fromkeys(NODES, 1001), "master": 1000}


def test_an_lrm_that_does_nothing_is_told_with_its_word():
    """Restart, shutdown, a lost lock and what is not known; an idle one and maintenance are as usual."""
    manager = _manager(disarm={"mode": "ignore", "state": "disarmed"})
    said = [
        {"mode": "restart", "state": "active"}, {"mode": "active", "state": "lost_agent_lock"},
        {"mode": "asleep", "state": "active"}, {"mode": "active", "state": "wait_for_agent_lock"},
        {"mode": "maintenance", "state": "maintenance"}, {"mode": "disarm", "state": "active"},
    ]  # fmt: skip
    for node, more in zip(NODES, said, strict=True):
        manager["lrm_status"][node] |= more
    view = cluster_view(GOOD, manager, [])

    assert view["modes"] == dict(zip(NODES, ("restart mode", "lost_agent_lock", "asleep mode"), strict=False))
    assert view["disarmed"] == "ignore"
