"""HA's timelines in lab seconds, as tables, each over many phases (reference: pve-ha §15).

Where a row follows from corosync's view, the reference's column C saw it at once; here the votes need their time first.
"""

import pytest

from lab.physics import jump
from lab.physics.power import switch_off, switch_on
from tests.lab.stage import SITE_A, SITE_B, Stage, healthy

pytestmark = pytest.mark.slow  # in `make test-twin`

SEEDS = range(1, 13)
MASTERS = {"a": "pxmx01-01", "b": "pxmx02-01"}
HOME = {
    "type": "node-affinity",
    "resources": "vm:300,vm:301",
    "nodes": ",".join([*(f"{node}:2" for node in SITE_A), *(f"{node}:1" for node in SITE_B)]),
}
NOT_STRICT = {"type": "node-affinity", "resources": "vm:300,vm:301", "nodes": ",".join(SITE_A)}

Range = tuple[float, float]


def ranges(runs: list[Stage], table: dict[str, Range]) -> dict[str, Range]:
    """Rows whose measured range leaves the table's; empty when all is well."""
    seen = {what: (min(run.seen[what] for run in runs), max(run.seen[what] for run in runs)) for what in table}
    return {what: span for what, span in seen.items() if not table[what][0] <= span[0] <= span[1] <= table[what][1]}


def logged(stage: Stage, what: str, target: str = "") -> list[float]:
    """Seconds after the mark at which the world's log has this."""
    changes = [one for one in stage.world.changes if one.time >= stage.marked]
    return [one.time - stage.marked for one in changes if one.what == what and target in one.target]


def on_b(stage: Stage) -> bool:
    return all(service.node in SITE_B for service in stage.services())


async def site_off(master: str, seed: int) -> Stage:
    stage = await healthy(master=master, seed=seed)
    world, ha = stage.world, stage.ha
    switch_off(world, SITE_A)
    await stage.until("votes fall", lambda: world.votes("pxmx02-01").total == 4, 30)
    await stage.until("settled", lambda: len(world.votes("pxmx02-01").members) == 3, 30)
    await stage.until("new master", lambda: ha.manager.master in SITE_B, 150)
    await stage.until("unknown", lambda: ha.manager.nodes["pxmx01-03"] == "unknown", 150)
    await stage.until("running", lambda: on_b(stage) and all(guest.running for guest in two(stage)), 250)
    for row, what in (("fence", "ha.fence"), ("lock", "ha.fenced"), ("recovered", "ha.recover")):
        stage.seen[row] = logged(stage, what)[0]
    await world.cluster.stop()
    return stage


def two(stage: Stage):
    return [stage.guests[vmid] for vmid in (300, 301)]


# pve-ha §15.1, column C. The lock's range is that of one node and two (pve-ha §15.5): its two steps may meet in one
# round or not.
SITE_OFF = {
    "b": {
        "votes fall": (7.6, 8.0), "settled": (7.6, 13.5), "unknown": (7.6, 22),
        "fence": (50, 63), "lock": (120, 134), "recovered": (120, 134), "running": (129, 142),
    },
    "a": {
        "votes fall": (7.6, 8.0), "settled": (7.6, 13.5), "new master": (110, 122), "unknown": (110, 122),
        "fence": (170, 189), "lock": (170, 189), "recovered": (170, 189), "running": (178, 198),
    },
}  # fmt: skip


@pytest.mark.parametrize("master", SITE_OFF)
def test_a_site_loses_its_power(master: str):
    """With the master there the fence delay ends after the locks have expired; without, the locks are what lasts."""
    runs = [jump.run(site_off(MASTERS[master], seed)) for seed in SEEDS]

    assert ranges(runs, SITE_OFF[master]) == {}
    assert {guest.node for run in runs for guest in two(run)} == {"pxmx02-01", "pxmx02-02"}
    assert {run.ha.manager.nodes["pxmx01-03"] for run in runs} == {"unknown"}  # nothing to recover: never fenced


async def site_cut(master: str, seed: int) -> Stage:
    stage = await healthy(master=master, seed=seed)
    world, ha = stage.world, stage.ha
    world.links.cut("uplink:site-a")
    await stage.until("no quorum", lambda: not any(world.votes(node).quorate for node in SITE_A), 40)
    await stage.until("CRMs wait", lambda: {ha.crms[n].state for n in SITE_A} == {"wait_for_quorum"}, 40)
    await stage.until("LRMs lost", lambda: {ha.lrms[n].state for n in SITE_A[:2]} == {"lost_agent_lock"}, 40)
    await stage.until("running", lambda: on_b(stage) and all(guest.running for guest in two(stage)), 250)
    for node in SITE_A[:2]:
        stage.seen[f"reset {node}"] = logged(stage, "watchdog.reset", node)[0]
    for row, what in (("fence", "ha.fence"), ("lock", "ha.fenced"), ("start", "guest.start")):
        stage.seen[row] = logged(stage, what)[0]
    await world.cluster.stop()
    return stage


# pve-ha §15.3; what A's nodes notice waits for corosync and for the witness that they no longer reach.
A_NOTICES: dict[str, Range] = {
    "no quorum": (7.6, 16), "CRMs wait": (7.6, 21), "LRMs lost": (7.6, 21),
    "reset pxmx01-01": (59, 72), "reset pxmx01-02": (59, 72),
}  # fmt: skip
SITE_CUT: dict[str, dict[str, Range]] = {
    "b": {**A_NOTICES, "fence": (50, 63), "lock": (120, 134), "running": (129, 142)},
    "a": {**A_NOTICES, "fence": (170, 190), "lock": (170, 194), "running": (178, 202)},
}


@pytest.mark.parametrize("master", SITE_CUT)
def test_a_site_loses_its_network(master: str):
    """Watchdogs reset its nodes with services, and long after that their guests start on the other site."""
    runs = [jump.run(site_cut(MASTERS[master], seed)) for seed in SEEDS]

    assert ranges(runs, SITE_CUT[master]) == {}
    assert all(run.seen["start"] - run.seen[f"reset {node}"] > 45 for run in runs for node in SITE_A[:2])
    assert [logged(run, "watchdog.reset", "pxmx01-03") for run in runs] == [[]] * len(runs)  # idle: no watchdog


@pytest.mark.parametrize(("outage", "resets"), [(30, {0}), (55, {0, 1, 2})])
def test_a_short_outage_is_survived(outage: float, resets: set[int]):
    """Before about 50 s nobody is reset and nothing moves; at 55 s some are."""

    async def blip(seed: int) -> tuple[int, bool]:
        stage = await healthy(master="pxmx02-01", seed=seed)
        stage.world.links.cut("uplink:site-a")
        await stage.sleep(outage)
        stage.world.links.mend("uplink:site-a")
        await stage.sleep(60)
        count = sum(change.what == "watchdog.reset" for change in stage.world.changes)
        stayed = all(service.node in SITE_A for service in stage.services())
        await stage.world.cluster.stop()
        return count, stayed

    blips = [jump.run(blip(seed)) for seed in SEEDS]
    counts = {count for count, _ in blips}

    assert (0, False) not in blips
    assert counts <= resets
    assert max(counts) == max(resets)


async def site_returns(rule: dict[str, str] | None, failback: int, seed: int) -> Stage:
    stage = await healthy(master="pxmx02-01", seed=seed, failback=failback)
    if rule:
        stage.ha.rules["home"] = dict(rule)
    switch_off(stage.world, SITE_A)
    await stage.until("recovered", lambda: on_b(stage) and all(guest.running for guest in two(stage)), 250)
    await stage.sleep(60 + stage.world.random.uniform(0, 10))
    await switch_on(stage.world, SITE_A)
    stage.mark()
    ha = stage.ha
    await stage.until("slaves", lambda: {ha.crms[node].state for node in SITE_A} == {"slave"}, 40)
    await stage.until("online", lambda: {ha.manager.nodes[node] for node in SITE_A} == {"online"}, 40)
    return stage


# pve-ha §15.4, counted from the start of the daemons; corosync joins 3.3 s later, and the master looks every 10 s.
RETURNS: dict[str, Range] = {"slaves": (3, 16), "online": (3, 15)}
MOVES_BACK: dict[str, Range] = {**RETURNS, "migrate": (3, 15), "started": (23, 50), "lock again": (115, 130)}


@pytest.mark.parametrize(("rule", "failback"), [(None, 1), (HOME, 0)], ids=["no rule", "failback off"])
def test_a_returning_site_gets_no_guest_by_itself(rule, failback):
    """Without a rule, or with failback switched off, everyone stays where recovery has put them."""

    async def play(seed: int) -> Stage:
        stage = await site_returns(rule, failback, seed)
        await stage.sleep(200)
        assert on_b(stage)
        await stage.world.cluster.stop()
        return stage

    runs = [jump.run(play(seed)) for seed in SEEDS]

    assert ranges(runs, RETURNS) == {}
    assert {run.world.votes("pxmx01-01").total for run in runs} == {7}


@pytest.mark.parametrize("rule", [HOME, NOT_STRICT], ids=["priorities", "not strict"])
def test_failback_takes_guests_home_at_once(rule):
    """Both migrate in the round in which their nodes come online, long before the LRMs there have their locks."""

    async def play(seed: int) -> Stage:
        stage = await site_returns(rule, 1, seed)
        ha = stage.ha
        await stage.until("migrate", lambda: {s.state for s in stage.services()} == {"migrate"}, 20)
        await stage.until("started", lambda: {s.state for s in stage.services()} == {"started"}, 60)
        homes = {service.node for service in stage.services()}
        assert homes <= set(SITE_A)
        assert {ha.lrms[node].state for node in homes} == {"wait_for_agent_lock"}
        await stage.until("lock again", lambda: {ha.lrms[node].state for node in homes} == {"active"}, 160)
        await stage.world.cluster.stop()
        return stage

    assert ranges([jump.run(play(seed)) for seed in SEEDS], MOVES_BACK) == {}


async def node_off(master: str, seed: int) -> Stage:
    stage = await healthy(master=master, seed=seed)
    switch_off(stage.world, ["pxmx01-01"])
    await stage.until("unknown", lambda: stage.ha.manager.nodes["pxmx01-01"] == "unknown", 150)
    await stage.until("running", lambda: stage.guests[300].node != "pxmx01-01" and stage.guests[300].running, 250)
    for row, what in (("fence", "ha.fence"), ("lock", "ha.fenced")):
        stage.seen[row] = logged(stage, what)[0]
    await stage.world.cluster.stop()
    return stage


# pve-ha §15.5, column C.
NODE_OFF: dict[str, dict[str, Range]] = {
    "b": {"unknown": (7.6, 22), "fence": (50, 63), "lock": (120, 140), "running": (129, 148)},
    "a": {"unknown": (110, 122), "fence": (170, 189), "lock": (170, 189), "running": (178, 204)},
}


@pytest.mark.parametrize("master", NODE_OFF)
def test_one_node_is_off(master: str):
    """Its guest goes to the first empty node by name, whatever the site."""
    runs = [jump.run(node_off(MASTERS[master], seed)) for seed in SEEDS]

    assert ranges(runs, NODE_OFF[master]) == {}
    assert {run.guests[300].node for run in runs} == {"pxmx01-03"}


async def by_hand(command: str, seed: int) -> Stage:
    stage = await healthy(master="pxmx02-01", seed=seed, guests={300: "pxmx02-01", 301: "pxmx02-02"}, failback=0)
    stage.ha.commands.extend([(command, "vm:300", "pxmx01-01"), (command, "vm:301", "pxmx01-02")])
    ha = stage.ha
    await stage.until("ordered", lambda: {s.state for s in stage.services()} == {command}, 20)
    await stage.until("targets active", lambda: {ha.lrms[n].state for n in SITE_A[:2]} == {"active"}, 40)
    await stage.until("started", lambda: {s.state for s in stage.services()} == {"started"}, 60)
    await stage.until("running", lambda: all(guest.running for guest in two(stage)), 60)
    assert {guest.node for guest in two(stage)} == set(SITE_A[:2])
    await stage.world.cluster.stop()
    return stage


# pve-ha §15.6, column C, whose runs had the command read after 5 to 10 s; here it is read after 0 to 10 s.
BY_HAND: dict[str, dict[str, Range]] = {
    "migrate": {"ordered": (0, 11), "targets active": (2, 16), "started": (20, 46), "running": (20, 46)},
    "relocate": {"ordered": (0, 11), "targets active": (2, 16), "started": (20, 40), "running": (33, 48)},
}


@pytest.mark.parametrize("command", BY_HAND)
def test_guests_go_home_by_hand(command: str):
    """A migrated guest is never down; a relocated one is shown as started before it runs again."""
    assert ranges([jump.run(by_hand(command, seed)) for seed in SEEDS], BY_HAND[command]) == {}


def test_without_the_device_the_survivor_stays_blocked():
    """Three of six votes are not four: nothing is recovered, ever."""

    async def play() -> None:
        stage = await healthy(master="pxmx02-01", device=False)
        switch_off(stage.world, SITE_A)
        await stage.sleep(600)
        assert not stage.world.votes("pxmx02-01").quorate
        assert {service.node for service in stage.services()} == set(SITE_A[:2])
        await stage.world.cluster.stop()

    jump.run(play())
