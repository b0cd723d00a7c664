"""What the vantage points show, and what it has to be called: the catalogue of incidents as a table.

A row is read from left to right: which incidents, what is seen, what it is, and a reason that a person reads. `also`
are the lesser things that are told with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from cluster.conditions import Kind, lost_site
from cluster.facts import Links
from cluster.watching import site_losses
from tests.verdict.world import ARRAY_A, ARRAY_B, DESK, NODES, OF, OTHER, QDEVICE, QUICK, A, B, World, healthy

ONE_A, *_ = NODES_A = OF[A]
ONE_B, *_ = NODES_B = OF[B]


@dataclass(frozen=True)
class Row:
    """One line of the table. `settling` rows are no judgement yet: the watch looks again."""

    name: str
    incidents: str
    seen: Callable[[], World]
    kind: Kind
    where: tuple[str, ...]
    reason: str
    also: tuple[Kind, ...] = ()
    settling: bool = False


def _withdrawn(world: World) -> World:
    """The witness is not reached by any node, as after 15 s: six votes."""
    return world.views(NODES, device=False, total=6)


def _alone(world: World, *nodes: str) -> World:
    """These nodes have just started: each counts itself alone, and expects six votes."""
    return world.parts(*[(node,) for node in nodes]).views(nodes, expected=6)


def _hosts_off(world: World) -> World:
    """The hosts of site-a have no power, its array goes on: the article's own test."""
    return world.silent(*NODES_A).without(A).clients(*NODES_B).logins(*NODES_B).after(30)


def _each_alone(world: World) -> World:
    """Both rings are dead: everybody answers, and counts itself alone."""
    return world.parts(*[(node,) for node in NODES]).clients()


def _ring(world: World) -> World:
    """The first link of one node is down, and the others see it."""
    world.views(NODES, links=Links(links=2, ways=10, down=1))
    return world.views([ONE_A], links=Links(links=2, ways=10, down=5))


def _storage(world: World, **more: object) -> World:
    world.arrays = {name: look.model_copy(update=more) for name, look in world.arrays.items()}
    return world


def _unstretched(world: World) -> World:
    """The pod was taken off the second array."""
    only = {ARRAY_A: world.arrays[ARRAY_A].copies[ARRAY_A]}
    world.arrays[ARRAY_A] = world.arrays[ARRAY_A].model_copy(update={"copies": only})
    world.arrays[ARRAY_B] = world.arrays[ARRAY_B].model_copy(update={"copies": {}})
    return world


def _bare(world: World) -> World:
    """Nodes and arrays, and nothing built on them."""
    _storage(world, copies={}, logins={}, replication="")
    world.views(NODES, device=False, total=6, expected=6).clients()
    return world.api(NODES, services={}, master="", node_states={}, guests={})


def _for_long(world: World) -> World:
    """Seen so, and again more than a minute later."""
    world.after(1).looks()
    return world.after(62)


SITES = (
    Row("site-power", "I-01", lambda: healthy().dead(A), "site-lost", (A,), "qdevice has no client of site-a"),
    Row("the-other-site-power", "I-01", lambda: healthy().dead(B), "site-lost", (B,),
        "qdevice has no client of site-b"),
    Row("site-power-quick-token", "I-01", lambda: healthy(totem=QUICK).dead(A, after=9), "site-lost", (A,),
        "pxmx02-01, pxmx02-02, pxmx02-03 are quorate without site-a"),
    Row("site-power-witness-silent-here", "I-01", lambda: healthy().dead(A).silent(QDEVICE).stands(DESK),
        "site-lost", (A,), "X90R3-SiteB has no login of site-a and calls the copy of X90R3-SiteA offline"),
    Row("site-power-by-a-worker-without-a-place", "I-01 I-31", lambda: healthy().dead(A).silent(QDEVICE),
        "undetermined", ("one domain",), "this worker does not say where it stands", also=("array-lost",)),
    Row("site-power-by-a-worker-beside-the-array", "I-01 I-31", lambda: healthy().dead(A).silent(QDEVICE).stands(B),
        "undetermined", ("one domain",), "no node of site-a answers at site-b; a vantage point in a second failure",
        also=("array-lost",)),
    Row("site-power-by-a-worker-beside-the-witness", "I-01 I-31",
        lambda: healthy().dead(A).silent(ARRAY_B).stands(QDEVICE), "undetermined", ("one domain",),
        "qdevice has no client of site-a; no node of site-a answers at qdevice; a vantage point in a second failure"),
    Row("site-power-other-array-silent-here", "I-01", lambda: healthy().dead(A).silent(ARRAY_B).stands(DESK),
        "site-lost", (A,), "qdevice has no client of site-a"),
    Row("site-power-seen-by-the-engine-alone", "I-01 I-31",
        lambda: healthy().dead(A).silent(QDEVICE, ARRAY_B).stands(DESK),
        "undetermined", ("one domain",), "a vantage point in a second failure domain must confirm it"),
    Row("site-power-witness-lists-no-one", "I-01 I-31", lambda: healthy().dead(A).silent(ARRAY_B).clients(),
        "undetermined", ("one domain",), "no other vantage point confirms it"),
    Row("site-power-two-survivors-answer", "I-01", lambda: healthy().dead(A).silent(ONE_B), "site-lost", (A,),
        "pxmx02-02, pxmx02-03 are quorate without site-a"),
    Row("one-survivor-only", "I-01 I-31", lambda: healthy().dead(A).silent(*NODES_B[1:]), "undetermined",
        ("one voice",), "only pxmx02-01 says that site-a is gone", also=("array-lost",)),
    Row("bmc-says-off", "I-01", lambda: healthy().dead(A).silent(QDEVICE).bmc(*NODES_A, on=False),
        "site-lost", (A,), "the management controllers say that all nodes of site-a are off"),
    Row("bmc-says-off-of-one-node-only", "I-01",
        lambda: healthy().dead(A).silent(QDEVICE, ARRAY_B).bmc(ONE_A, on=False),
        "undetermined", ("one domain",), "no other vantage point confirms it"),
    Row("bmc-says-on", "I-02", lambda: healthy().dead(A).bmc(*NODES_A, on=True), "site-isolated", (A,),
        "the management controllers say that pxmx01-01, pxmx01-02, pxmx01-03 are on"),
    Row("bmc-of-one-node-says-on", "I-02", lambda: healthy().dead(A).bmc(ONE_A, on=True), "site-isolated", (A,),
        "the management controllers say that pxmx01-01 is on"),
    Row("array-link-still-up", "I-02", lambda: healthy().dead(A).copies([ARRAY_B], replication="connected"),
        "site-isolated", (A,), "X90R3-SiteB calls the copy of X90R3-SiteA online"),
    Row("logins-that-stay", "I-02 I-23", lambda: healthy().dead(A).logins(ONE_A, *NODES_B, at=[ARRAY_B]),
        "site-isolated", (A,), "X90R3-SiteB has pxmx01-01 logged in"),
    Row("hosts-gone-array-stays", "I-01", lambda: _hosts_off(healthy()), "site-lost", (A,),
        "X90R3-SiteA answers and serves the pod"),
    Row("hosts-gone-array-stays-witness-and-own-array", "I-01", lambda: _hosts_off(healthy()).silent(ARRAY_B),
        "site-lost", (A,), "X90R3-SiteA has no login of its own site's hosts"),
    Row("hosts-gone-array-stays-both-arrays", "I-01", lambda: _hosts_off(healthy()).silent(QDEVICE), "site-lost", (A,),
        "X90R3-SiteB has no login of site-a and calls the copy of X90R3-SiteA online"),
    Row("hosts-gone-array-stays-witness-and-controllers", "I-01",
        lambda: _hosts_off(healthy()).silent(ARRAY_A, ARRAY_B).bmc(*NODES_A, on=False), "site-lost", (A,),
        "X90R3-SiteA does not answer here"),
    Row("hosts-gone-array-stays-witness-and-worker", "I-01",
        lambda: _hosts_off(healthy()).silent(ARRAY_A, ARRAY_B).stands(DESK), "site-lost", (A,),
        "no node of site-a answers at desk"),
    Row("hosts-gone-array-stays-one-array-alone", "I-01 I-31",
        lambda: _hosts_off(healthy()).silent(QDEVICE, ARRAY_B), "undetermined", ("one domain",),
        "X90R3-SiteA has no login of its own site's hosts; a vantage point in a second failure domain must confirm it"),
    Row("hosts-gone-array-stays-one-logged-in", "I-02 I-23",
        lambda: _hosts_off(healthy()).logins(ONE_A, *NODES_B, at=[ARRAY_A]), "site-isolated", (A,),
        "X90R3-SiteA has pxmx01-01 logged in"),
    Row("hosts-gone-and-its-array-lost-the-race", "I-01 I-09",
        lambda: _hosts_off(healthy()).own_copy(ARRAY_A, status="offline"), "site-lost", (A,),
        "X90R3-SiteA answers and calls its copy offline", also=("replication-lost",)),
    Row("hosts-gone-where-the-pod-is", "I-01 I-09",
        lambda: _hosts_off(healthy()).copies([ARRAY_A], b="offline").copies([ARRAY_B], a="unknown", b="offline")
        .logins(ONE_B, at=[ARRAY_B]).logins(at=[ARRAY_A]), "storage-elsewhere", (B, A),
        "quorum: site-b; pod: site-a", also=("site-lost", "paths-lost", "paths-lost", "replication-lost")),
    Row("cut-same-winner", "I-03", lambda: healthy().cut(A, pod=A), "sites-parted", (A, B),
        "quorum: site-a; pod: site-a"),
    Row("cut-different-winners", "I-03", lambda: healthy().cut(A, pod=B), "storage-elsewhere", (A, B),
        "site-a has the quorum and no storage: its guests fail, and HA does not help them", also=("sites-parted",)),
    Row("cut-different-winners-and-a-way-to-the-pod", "I-03",
        lambda: healthy().cut(A, pod=B).logins(*NODES, at=[ARRAY_B]), "storage-elsewhere", (A, B),
        "are logged in at X90R3-SiteB: guests go on over the storage network", also=("sites-parted",)),
    Row("cut-and-no-copy-online", "I-03 I-10",
        lambda: healthy().cut(A, pod=B).own_copy(ARRAY_B, status="offline"), "pod-offline", (ARRAY_A, ARRAY_B),
        "X90R3-SiteB calls its own copy offline", also=("sites-parted",)),
    Row("cut-loser-seen-by-the-witness-alone", "I-03", lambda: healthy().cut(B, pod=B).dark(A).after(60),
        "sites-parted", (B, A), "qdevice has pxmx01-01, pxmx01-02, pxmx01-03 as clients"),
    Row("cut-told-by-one-survivor-and-the-witness", "I-03 I-31",
        lambda: healthy().cut(B, pod=B).dark(A).silent(*NODES_B[1:]).after(60), "undetermined", ("one voice",),
        "only pxmx02-01 says that site-a is gone", also=("array-lost",)),
    Row("rolling-disaster", "I-06", lambda: healthy().dead(A).own_copy(ARRAY_B, status="offline"), "site-lost", (A,),
        "X90R3-SiteB has no login of site-a", also=("replication-lost",)),
    Row("rolling-disaster-while-resyncing", "I-06 I-11",
        lambda: healthy().dead(A).own_copy(ARRAY_B, status="resyncing"),
        "site-lost", (A,), "X90R3-SiteB has no login of site-a", also=("resyncing",)),
    Row("site-power-and-no-mediator", "I-01 I-10", lambda: healthy().dead(A).own_copy(ARRAY_B, mediator="unreachable"),
        "site-lost", (A,), "X90R3-SiteB has no login of site-a", also=("mediator-lost",)),
)  # fmt: skip

VOTES = (
    Row("witness-lost", "I-04", lambda: _withdrawn(healthy()).silent(QDEVICE), "witness-lost", (QDEVICE,),
        "qdevice does not answer: no answer in 3 s"),
    Row("witness-daemon-restarts", "I-04", lambda: _withdrawn(healthy()).clients(), "witness-lost", (QDEVICE,),
        "qdevice answers and has 0 clients"),
    Row("witness-lost-for-one-site", "I-04",
        lambda: healthy().views(NODES_A, device=False, total=6).clients(*NODES_B), "witness-lost", (QDEVICE, A),
        "pxmx01-01, pxmx01-02, pxmx01-03 count 6 votes, none of the quorum device"),
    Row("witness-and-site", "I-05",
        lambda: healthy().dead(A).parts(NODES_B).silent(QDEVICE), "quorum-lost", (A,),
        "a worker inside a site that is cut off from everything would see the same"),
    Row("witness-and-site-by-one-voice", "I-05 I-31",
        lambda: healthy().dead(A).parts(NODES_B).silent(QDEVICE, *NODES_B[1:]), "undetermined", ("one voice",),
        "only pxmx02-01 answers; it has no quorum", also=("array-lost",)),
    Row("three-votes-and-the-others-at-the-witness", "I-02 I-31",
        lambda: healthy().dark(A).parts(NODES_B).after(30), "undetermined", ("elsewhere",),
        "qdevice has clients that do not answer here: pxmx01-01, pxmx01-02, pxmx01-03"),
    Row("cut-without-a-witness", "I-03 I-05", lambda: healthy().parts(NODES_A, NODES_B).silent(QDEVICE),
        "quorum-lost", (), "3 of 7 votes, 4 are needed"),
    Row("all-nodes-reset", "I-07", lambda: healthy().silent(*NODES).clients().logins().after(60), "quorum-lost", (),
        "no node answers, X90R3-SiteA, X90R3-SiteB answer"),
    Row("both-sites-dark", "I-07", lambda: healthy().dark(A).dark(B).clients().after(60), "quorum-lost", (),
        "a worker at a third place that is cut off from both sites would see the same"),
    Row("all-nodes-silent-witness-just-started", "I-07 I-31",
        lambda: healthy().silent(*NODES).clients().logins().after(5),
        "undetermined", ("silence",), "no node reports its votes to this worker", settling=True),
    Row("all-nodes-silent-but-logged-in", "I-31 I-32", lambda: healthy().silent(*NODES).clients().after(60),
        "undetermined", ("silence",), "no node reports its votes to this worker"),
    Row("device-removed", "I-04", lambda: healthy().views(NODES, device=False, total=6, expected=6).clients(),
        "witness-lost", (QDEVICE,), "no quorum device is configured: 6 of 7 votes"),
    Row("device-removed-on-one-node", "I-04", lambda: healthy().views([ONE_A], device=False, total=6, expected=6),
        "witness-lost", (QDEVICE, A), "no quorum device is configured on pxmx01-01"),
    Row("expected-votes-changed", "I-05", lambda: healthy().views(NODES, expected=6), "votes-changed", (),
        "expects 6 votes, the design has 7"),
    Row("a-node-with-two-votes", "I-05", lambda: healthy().views(NODES, expected=8, total=8, quorum=5),
        "votes-changed", (), "expects 8 votes, the design has 7"),
    Row("a-node-without-a-vote", "I-05", lambda: healthy().views(NODES, total=6), "votes-changed", (),
        "counts 6 votes of 6 nodes and the device"),
    Row("another-quorum", "I-05", lambda: healthy().views(NODES, quorum=2), "votes-changed", (),
        "needs 2 votes for a quorum, the design has 4"),
    Row("all-rings-dead", "I-25", lambda: _each_alone(healthy()), "quorum-lost", (),
        "all nodes answer and each sees only itself: check corosync's links"),
    Row("cut-without-a-witness-all-answer", "I-03 I-05", lambda: healthy().parts(NODES_A, NODES_B).clients(),
        "quorum-lost", (), "all nodes answer, in 2 parts that do not see each other: check corosync's links"),
    Row("too-many-votes-expected", "I-05",
        lambda: healthy().views(NODES, expected=15, quorum=8, quorate=False), "quorum-lost", (),
        "all nodes answer and see each other: the votes are not as designed"),
    Row("one-ring-at-a-node", "I-25", lambda: _ring(healthy()), "links-down", (ONE_A,),
        "pxmx01-01: 5 of 10 connections to other nodes are down, over 2 links"),
)  # fmt: skip

STORAGE = (
    Row("array-lost", "I-08",
        lambda: healthy().silent(ARRAY_A).copies([ARRAY_B], a="offline", replication="connecting"), "array-lost",
        (ARRAY_A,), "X90R3-SiteB calls its copy offline"),
    Row("array-silent-here-alone", "I-08 I-32", lambda: healthy().silent(ARRAY_A), "healthy", (), "7 of 7 votes"),
    Row("array-silent-and-its-peer-knows-nothing", "I-09 I-31",
        lambda: healthy().silent(ARRAY_A).copies([ARRAY_B], a="unknown", b="offline"), "replication-lost", (ARRAY_B,),
        "X90R3-SiteB calls its own copy offline; the other copy is unknown"),
    Row("replication-link", "I-09",
        lambda: healthy().copies([ARRAY_A], b="offline", replication="connecting").copies(
            [ARRAY_B], a="unknown", b="offline", replication="connecting"),
        "replication-lost", (ARRAY_B,), "X90R3-SiteB calls its own copy offline; the other copy is online"),
    Row("replication-link-before-the-race", "I-09",
        lambda: healthy().copies([ARRAY_A, ARRAY_B], replication="connecting"), "replication-lost", (),
        "X90R3-SiteA calls the link to its peer connecting"),
    Row("mediator", "I-10",
        lambda: healthy().own_copy(ARRAY_A, mediator="unreachable", pre_elected=True).own_copy(
            ARRAY_B, mediator="unreachable"),
        "mediator-lost", (ARRAY_A, ARRAY_B), "X90R3-SiteA is pre-elected: it alone survives a break"),
    Row("mediator-by-wrong-name", "I-10", lambda: healthy().own_copy(ARRAY_A, mediator="flummoxed"), "mediator-lost",
        (ARRAY_A,), "X90R3-SiteA calls the mediator flummoxed"),
    Row("array-returns", "I-11", lambda: healthy().own_copy(ARRAY_A, status="resyncing", progress=0.41), "resyncing",
        (ARRAY_A,), "X90R3-SiteA calls its copy resyncing, 41% done"),
    Row("array-returns-silent-here", "I-11", lambda: healthy().silent(ARRAY_A).copies([ARRAY_B], a="resyncing"),
        "resyncing", (ARRAY_A,), "X90R3-SiteB calls the copy of X90R3-SiteA resyncing"),
    Row("link-partly-up", "I-09", lambda: healthy().copies([ARRAY_A, ARRAY_B], replication="partially_connected"),
        "replication-degraded", (ARRAY_A, ARRAY_B), "calls the link to its peer partially_connected"),
    Row("link-uneven", "I-09", lambda: healthy().copies([ARRAY_A, ARRAY_B], replication="unbalanced"),
        "replication-degraded", (ARRAY_A, ARRAY_B), "data is still mirrored"),
    Row("link-unstable", "I-09", lambda: healthy().copies([ARRAY_A, ARRAY_B], replication="quarantined"),
        "replication-lost", (), "calls the link to its peer quarantined"),
    Row("no-link-at-all", "I-09", lambda: healthy().copies([ARRAY_A, ARRAY_B], replication=""),
        "replication-lost", (), "X90R3-SiteA has no connection to its peer"),
    Row("peer-says-otherwise", "I-09", lambda: healthy().copies([ARRAY_A], b="offline"), "replication-lost",
        (ARRAY_B,), "X90R3-SiteB calls its own copy online, and X90R3-SiteA calls it offline"),
    Row("mediator-not-known", "I-10", lambda: healthy().own_copy(ARRAY_B, mediator="unknown"), "mediator-lost",
        (ARRAY_B,), "X90R3-SiteB calls the mediator unknown"),
    Row("pod-on-one-array", "I-16", lambda: _unstretched(healthy()), "pod-unstretched", (ARRAY_B,),
        "X90R3-SiteB has no copy of pod webb-ac-proxmox-01; X90R3-SiteA has the only one"),
    Row("pod-on-neither-array", "I-06", lambda: _storage(healthy(), copies={}), "pod-offline", (ARRAY_A, ARRAY_B),
        "pod webb-ac-proxmox-01 is on neither array"),
    Row("no-copy-online", "I-06", lambda: healthy().own_copy(ARRAY_A, status="offline").own_copy(
            ARRAY_B, status="resyncing"), "pod-offline", (ARRAY_A, ARRAY_B),
        "X90R3-SiteA calls its own copy offline", also=("replication-lost", "resyncing")),
    Row("no-sessions-at-one-array", "I-13 I-16", lambda: healthy().logins(at=[ARRAY_B]), "paths-lost", (ARRAY_B,),
        "pxmx01-01 has 0 of 4 sessions to X90R3-SiteB"),
    Row("storage-not-active-on-a-node", "I-14",
        lambda: healthy().api(NODES, storages={**dict.fromkeys(NODES, "available"), ONE_A: "unknown"}),
        "storage-inactive", (ONE_A,), "storage pxmx-ac-shared is unknown on pxmx01-01"),
    Row("portal", "I-13", lambda: healthy().logins(*NODES, at=[ARRAY_A], count=3), "paths-degraded",
        tuple(NODES), "pxmx01-01 has 3 of 4 sessions to X90R3-SiteA"),
    Row("one-node-without-the-far-array", "I-13 I-14", lambda: healthy().logins(*NODES_B, at=[ARRAY_B]),
        "paths-lost", (ARRAY_B, *NODES_A), "pxmx01-01 has 0 of 4 sessions to X90R3-SiteB"),
    Row("no-sessions-at-all", "I-13 I-16", lambda: healthy().logins(), "paths-lost", (ARRAY_A,),
        "pxmx02-03 has 0 of 4 sessions to X90R3-SiteA", also=("paths-lost",)),
    Row("not-deployed", "deployment", lambda: _bare(healthy(known=False)), "not-deployed", ("pxmx-cluster",),
        "pod webb-ac-proxmox-01 is not on X90R3-SiteA"),
    Row("not-deployed-any-more", "deployment", lambda: _bare(healthy()), "not-deployed", ("pxmx-cluster",),
        "HA does not know vm:300, vm:301"),
    Row("half-deployed", "deployment",
        lambda: healthy(known=False).api(NODES, services={}).views(NODES, device=False, total=6, expected=6).clients(),
        "not-deployed", ("pxmx-cluster",), "no quorum device is configured"),
)  # fmt: skip

NODE = (
    Row("node", "I-17",
        lambda: healthy().silent(ONE_A).parts(NODES[1:], device=0).clients(*NODES[1:]).logins(*NODES[1:]).after(20),
        "node-lost", (ONE_A,), "pxmx01-01 left the membership"),
    Row("node-alone-and-alive", "I-17 I-23",
        lambda: healthy().parts((ONE_A,), NODES[1:], device=1).after(20), "node-lost", (ONE_A,),
        "pxmx01-01 answers: it is alive"),
    Row("two-nodes-of-a-site", "I-17", lambda: healthy().silent(*NODES_A[:2]).parts(NODES[2:], device=0).after(20),
        "node-lost", NODES_A[:2], "pxmx01-01, pxmx01-02 left the membership"),
    Row("each-node-of-a-site-alone", "I-17 I-21", lambda: _alone(healthy().without(A), *NODES_A).after(60),
        "site-isolated", (A,), "pxmx01-01, pxmx01-02, pxmx01-03 answer: they are alive"),
    Row("each-node-of-a-site-alone-for-a-moment", "I-17 I-21",
        lambda: _alone(healthy().without(A), *NODES_A).after(10), "undetermined", ("settling",),
        "may just be joining", settling=True),
    Row("site-starts-only-its-api-answers", "I-21", lambda: healthy().dead(A).api(NODES_A, silent="", quorate=False),
        "site-isolated", (A,), "pxmx01-01, pxmx01-02, pxmx01-03 answer: they are alive"),
    Row("an-api-that-believes-in-its-quorum", "I-21 I-31",
        lambda: healthy().dead(A).api([ONE_A], silent="", quorate=True), "undetermined", ("disagreement",),
        "the API of pxmx01-01 calls itself quorate", also=("array-lost", "paths-lost")),
    Row("ha-error", "I-18", lambda: healthy().api(NODES, services={"vm:300": ("error", ONE_B)}), "ha-error",
        ("vm:300",), "HA has given up vm:300 on pxmx02-01: error"),
    Row("ha-finds-no-node", "I-20", lambda: healthy().api(NODES, services={"vm:300": ("recovery", ONE_A)}), "ha-error",
        ("vm:300",), "vm:300 waits for a node: HA finds none that may take it"),
    Row("guest-stopped-on-request", "I-18", lambda: healthy().api(NODES, services={"vm:300": ("stopped", ONE_A)}),
        "healthy", (), "1 HA guests as requested"),
    Row("guest-that-does-not-run", "I-18", lambda: healthy().api(NODES, idle=("vm:300",)), "ha-error", ("vm:300",),
        "vm:300 does not run on pxmx01-01, although HA calls it started"),
    Row("lrm-dead", "I-20 I-22", lambda: healthy().api(NODES, lrms_old=(ONE_A,)), "ha-impaired", (ONE_A,),
        "the LRM of pxmx01-01 is silent: HA says 'old timestamp - dead?'"),
    Row("ha-calls-a-member-fence", "I-20",
        lambda: healthy().api(NODES, node_states={**dict.fromkeys(NODES, "online"), ONE_A: "fence"}), "ha-impaired",
        (ONE_A,), "pxmx01-01 is a member and HA calls it fence"),
    Row("node-in-maintenance", "I-28",
        lambda: healthy().api(NODES, node_states={**dict.fromkeys(NODES, "online"), ONE_A: "maintenance"}), "healthy",
        (), "7 of 7 votes"),
    Row("no-master", "I-20", lambda: healthy().api(NODES, master=""), "ha-impaired", (), "HA has no master"),
    Row("master-silent", "I-20", lambda: healthy().api(NODES, master_old=True), "ha-impaired", (),
        "HA's master pxmx01-01 is silent"),
    Row("fencing-is-no-error", "I-17 I-20",
        lambda: healthy().silent(ONE_A).parts(NODES[1:], device=0).clients(*NODES[1:]).logins(*NODES[1:]).api(
            NODES[1:], services={"vm:300": ("fence", ONE_A)},
            node_states={**dict.fromkeys(NODES, "online"), ONE_A: "fence"}).after(20), "node-lost", (ONE_A,),
        "pxmx01-01 left the membership"),
    Row("rejoin-three-members-seven-votes", "I-21", lambda: healthy().dead(A).views(NODES_B, total=7, settled=False),
        "undetermined", ("settling",), "the votes are settling on pxmx02-01", settling=True),
    Row("loss-six-members-four-votes", "I-01",
        lambda: healthy().dark(A).views(NODES_B, total=4, settled=False).after(11), "undetermined", ("settling",),
        "the votes are settling", settling=True),
    Row("first-seconds-of-a-loss", "I-01", lambda: healthy().dark(A).after(3), "healthy", (), "3 of 6 nodes answer"),
)  # fmt: skip

DOUBTS = (
    Row("engine-cut-off", "I-31", lambda: healthy().dark(A).dark(B).silent(QDEVICE).after(60), "undetermined",
        ("silence",), "this worker may be cut off itself"),
    Row("engine-sees-only-the-witness-with-clients", "I-31", lambda: healthy().dark(A).dark(B).after(60),
        "undetermined", ("silence",), "no node reports its votes to this worker; what answers: qdevice (ssh)"),
    Row("witness-unreachable-from-the-engine-only", "I-31 I-32", lambda: _for_long(healthy().silent(QDEVICE)), "blind",
        (QDEVICE,), "no answer from qdevice (ssh): no answer in 3 s"),
    Row("witness-unreachable-for-a-moment", "I-31 I-32", lambda: healthy().silent(QDEVICE).after(30), "healthy", (),
        "7 of 7 votes, 6 of 6 nodes answer"),
    Row("management-of-a-whole-site", "I-31 I-32", lambda: _for_long(healthy().dark(A)), "blind", (ARRAY_A, *NODES_A),
        "X90R3-SiteA (api), pxmx01-01 (api), pxmx01-01 (bmc), pxmx01-01 (ssh)"),
    Row("all-apis-fail", "I-32", lambda: _for_long(healthy().silent(*NODES, how="api")), "blind", tuple(NODES),
        "pxmx01-01 (api), pxmx01-02 (api)"),
    Row("an-array-refuses", "I-32", lambda: _for_long(healthy().silent(ARRAY_B, why="Unauthorized: no such token")),
        "blind", (ARRAY_B,), "refused by X90R3-SiteB (api): Unauthorized: no such token"),
    Row("a-right-is-missing", "I-32", lambda: healthy().api(NODES, hidden=("vm:301",)), "blind", ("vm:301",),
        "the API does not show vm:301: VM.Audit is missing there"),
    Row("an-array-never-answered", "I-32", lambda: healthy(known=False).silent(ARRAY_B), "blind", (ARRAY_B,),
        "no answer from X90R3-SiteB (api)"),
    Row("all-apis-fail-at-a-first-look", "I-32", lambda: healthy(known=False).silent(*NODES, how="api"),
        "undetermined", ("names",), "node 1, node 2, node 3, node 4, node 5, node 6 is a member", also=("blind",)),
    Row("clock-of-the-worker-steps-back", "I-24", lambda: healthy().after(-20), "healthy", (), "7 of 7 votes"),
    Row("clock-steps-back-in-a-loss", "I-24", lambda: healthy().dead(A, after=-20), "undetermined", ("settling",),
        "site-a was alive -20 s ago", settling=True),
    Row("single-ring-or-latency", "I-25 I-29", healthy, "healthy", (), "7 of 7 votes, 6 of 6 nodes answer"),
    Row("one-node-counts-others", "I-31",
        lambda: healthy().dead(A).views([ONE_B], members=NODES, total=7), "undetermined", ("disagreement",),
        "pxmx02-01 counts 6 members, pxmx02-02 among them, which counts 3", also=("array-lost",)),
    Row("one-node-lies-about-a-dark-site", "I-31",
        lambda: healthy().dark(A).views([ONE_B], members=NODES_B, total=4).after(60), "undetermined",
        ("disagreement",), "pxmx02-01 counts 3 members, pxmx02-02 among them, which counts 6"),
    Row("two-quorate-parts", "I-31 I-05",
        lambda: healthy().parts(NODES_A, NODES_B, device=0).views(
            NODES_B, quorate=True, total=4, device=True).after(60),
        "undetermined", ("disagreement",), "are both quorate and do not count each other"),
    Row("a-node-that-does-not-count-itself", "I-31", lambda: healthy().views([ONE_A], members=NODES_B, total=3),
        "undetermined", ("disagreement",), "pxmx01-01 does not count itself"),
    Row("stale-witness-clients", "I-01",
        lambda: healthy(totem=QUICK).dead(A, after=9).clients(NODES_A[2], *NODES_B), "undetermined", ("settling",),
        "qdevice has pxmx01-03 as clients, which may be old", settling=True),
    Row("stale-witness-clients-and-a-bmc-that-says-on", "I-02",
        lambda: healthy(totem=QUICK).dead(A, after=9).clients(NODES_A[2], *NODES_B).bmc(ONE_A, on=True), "undetermined",
        ("settling",), "which may be old", settling=True),
    Row("stale-array-logins", "I-01",
        lambda: healthy(totem=QUICK).dead(A, after=9).logins(*NODES_A, *NODES_B, at=[ARRAY_B]), "undetermined",
        ("settling",), "X90R3-SiteB has pxmx01-01, pxmx01-02, pxmx01-03 logged in, which may be old", settling=True),
    Row("detection-not-over", "I-01", lambda: healthy().dead(A, after=9), "undetermined", ("settling",),
        "site-a was alive 9 s ago", settling=True),
    Row("totem-not-read", "I-01", lambda: healthy(totem=None).dead(A), "undetermined", ("settling",),
        "corosync's own times have not been read yet", settling=True),
    Row("site-never-asked", "I-01", lambda: healthy().dead(A).unasked(*NODES_A, ARRAY_A), "undetermined",
        ("settling",), "not asked yet: pxmx01-01, pxmx01-02, pxmx01-03", settling=True),
    Row("a-client-without-a-name", "I-31", lambda: healthy().dead(A).clients(17, *NODES_B), "undetermined", ("names",),
        "node 17 is a client of qdevice and no API has given its name", also=("array-lost",)),
)  # fmt: skip

TABLE = (*SITES, *VOTES, *STORAGE, *NODE, *DOUBTS)


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_what_is_seen_has_one_name(row: Row):
    """Kind, place, the lesser things beside it, and a reason in words."""
    verdict = row.seen().looks()

    told = (verdict.kind, verdict.main.where, tuple(one.kind for one in verdict.also), verdict.settling)
    assert told == (row.kind, row.where, row.also, row.settling), verdict.main.reasons
    assert row.reason in "; ".join(verdict.main.reasons)


def test_the_table_has_every_incident_that_a_verdict_can_tell():
    """The others are told by the checks of a runbook, not by the facts of a look."""
    told = {number for row in TABLE for number in row.incidents.split()}

    wanted = {*range(1, 12), 13, 14, 16, 17, 18, 20, 21, 22, 23, 24, 25, 28, 29, 31, 32}
    assert told == {"deployment", *(f"I-{number:02}" for number in wanted)}


def test_a_lost_site_is_told_with_its_proofs():
    """Who says so, from which side, and what would change the mind."""
    verdict = healthy().dead(A).stands(DESK).looks()

    assert verdict.sentence == "site lost (site-a)"
    assert verdict.main.reasons == (
        "pxmx02-01, pxmx02-02, pxmx02-03 are quorate without site-a",
        "qdevice has no client of site-a",
        "X90R3-SiteB has no login of site-a and calls the copy of X90R3-SiteA offline",
        "no node of site-a answers at desk",
        "X90R3-SiteA is dark: X90R3-SiteB calls its copy offline",
    )
    assert verdict.main.unless == (
        "any node of site-a answers, or is a client of qdevice",
        "an array has a login of site-a, or a management controller there calls its node on",
    )
    assert verdict.silent[0] == "pxmx01-01 (ssh)"
    assert len(verdict.silent) == 10


def test_an_isolated_site_is_told_with_who_sees_it():
    """Its nodes may still write: what speaks for its life stands before what speaks against it."""
    verdict = healthy().dead(A).bmc(*NODES_A, on=True).looks()

    assert verdict.sentence == "site isolated (site-a)"
    assert verdict.main.reasons == (
        "pxmx02-01, pxmx02-02, pxmx02-03 are quorate without site-a",
        "the management controllers say that pxmx01-01, pxmx01-02, pxmx01-03 are on",
        "qdevice has no client of site-a",
        "X90R3-SiteB has no login of site-a and calls the copy of X90R3-SiteA offline",
        "HA's watchdog resets pxmx01-01 within about 70 s",
        "no HA guest ran on pxmx01-02, pxmx01-03: other guests there may still be running",
        "X90R3-SiteA is dark: X90R3-SiteB calls its copy offline",
    )
    assert verdict.main.unless == ("any node of site-a is a member again",)


def test_parted_sites_are_told_with_both_winners():
    """Who has the quorum, who has the pod, and what becomes of the hosts that are alive without quorum."""
    verdict = healthy().cut(B, pod=B).looks()

    assert verdict.sentence == "sites parted (site-b, site-a)"
    assert lost_site(verdict.main) == A
    assert verdict.main.reasons == (
        "pxmx02-01, pxmx02-02, pxmx02-03 are quorate without site-a",
        "pxmx01-01, pxmx01-02, pxmx01-03 answer: they are alive",
        "quorum: site-b; pod: site-b",
        "HA's watchdog resets pxmx01-01 within about 70 s",
        "no HA guest ran on pxmx01-02, pxmx01-03: other guests there may still be running",
    )
    assert verdict.main.unless == ("the nodes of site-a are members again",)


def test_a_quorum_without_storage_leads():
    """Different winners are the trap: it is told first, and the loss of the other site's hosts beside it."""
    verdict = healthy().cut(A, pod=B).looks()

    assert verdict.sentence == "storage elsewhere (site-a, site-b)"
    assert verdict.main.reasons == (
        "quorum: site-a; pod: site-b",
        "X90R3-SiteA calls its own copy offline",
        "site-a has the quorum and no storage: its guests fail, and HA does not help them",
        "no node of site-a is logged in at X90R3-SiteB",
    )
    assert list(site_losses(verdict)) == [B]


def test_a_lost_quorum_is_told_with_what_it_could_be_instead():
    """Three votes and no witness: from inside a site that is cut off it looks the same."""
    verdict = healthy().dead(A).parts(NODES_B).silent(QDEVICE).looks()

    assert verdict.sentence == "quorum lost (site-a)"
    assert verdict.main.reasons == (
        "pxmx02-01, pxmx02-02, pxmx02-03: 3 of 7 votes, 4 are needed",
        "no answer from pxmx01-01, pxmx01-02, pxmx01-03",
        "qdevice does not answer: no answer in 3 s",
        "a worker inside a site that is cut off from everything would see the same",
    )
    assert verdict.main.unless == ("any node counts a quorum again",)


def test_a_lost_witness_is_told_with_the_votes_that_are_left():
    """Nobody is in danger; the next loss is."""
    verdict = healthy().views(NODES, device=False, total=6).silent(QDEVICE).looks()

    assert verdict.sentence == "witness lost (qdevice)"
    assert verdict.main.reasons == (
        "pxmx01-01, pxmx01-02, pxmx01-03, pxmx02-01, pxmx02-02, pxmx02-03 count 6 votes, none of the quorum device",
        "qdevice does not answer: no answer in 3 s",
    )
    assert verdict.main.unless == ("the nodes count the quorum device's vote again",)


def test_a_lost_array_is_told_by_two():
    """It is silent here, and its peer has lost it."""
    verdict = healthy().silent(ARRAY_A).copies([ARRAY_B], a="offline", replication="connecting").looks()

    assert verdict.main.reasons == (
        "X90R3-SiteB calls its copy offline",
        "X90R3-SiteA does not answer here: no answer in 3 s",
    )
    assert verdict.main.unless == ("X90R3-SiteA answers, or X90R3-SiteB calls its copy online",)


def test_an_isolated_site_keeps_the_trap_of_the_other_array():
    """The quorate site's array lost the race: that must not hide behind the isolation."""
    verdict = healthy().dead(A).own_copy(ARRAY_B, status="offline").bmc(ONE_A, on=True).looks()

    assert (verdict.kind, [one.key for one in verdict.also]) == ("site-isolated", ["replication-lost X90R3-SiteB"])


def _given_back(world: World) -> World:
    """The witness is there again, and everybody counts its vote."""
    world.witness = World().witness
    return world.views(NODES, device=True, total=7)


def _turns(world: World, times: int, apart: float) -> None:
    """The witness goes and comes back so many times, and each is judged."""
    for _ in range(times):
        _withdrawn(world).silent(QDEVICE).after(apart).looks()
        _given_back(world).after(apart).looks()


def test_what_keeps_changing_is_told_as_unsteady():
    """Six changes in five minutes: it keeps its name, and a person reads that it blinks (I-31)."""
    world = healthy()
    world.looks()
    _turns(world, 3, 10)
    verdict = _withdrawn(world).silent(QDEVICE).after(5).looks()

    assert verdict.sentence == "witness lost (qdevice)"
    assert verdict.main.reasons[-1] == "unsteady: 6 changes in 5 min"


def test_what_blinks_is_told_until_it_stays_away():
    """Twenty minutes of it are one condition; five quiet minutes end it."""
    world = healthy()
    world.looks()
    _turns(world, 6, 10)
    kinds = set()
    for _ in range(60):
        kinds.add(_withdrawn(world).silent(QDEVICE).after(10).looks().kind)
        kinds.add(_given_back(world).after(10).looks().kind)

    assert kinds == {"witness-lost"}
    assert "it is not seen now" in world.after(10).looks().main.reasons[0]
    assert world.after(301).looks().kind == "healthy"


def test_a_witness_that_blinks_hides_no_loss():
    """The ordinary rolling power failure: the loss of the site is told at once, by its own name."""
    world = healthy()
    world.looks()
    _turns(world, 5, 10)
    verdict = world.dead(A).looks()

    assert verdict.main.key == f"site-lost {A}"
    assert "unsteady" not in "; ".join(verdict.main.reasons)


def test_one_after_another_is_a_lost_site_in_the_end():
    """Nodes of a site that lose their power one by one: a lost node, two of them, a lost site."""
    world, told = healthy(), []
    for count in (1, 2, 3):
        gone, left = NODES_A[:count], [node for node in NODES if node not in NODES_A[:count]]
        world.silent(*gone).parts(left, device=0).clients(*left).logins(*left).after(40)
        told.append(world.looks().main.key)

    assert told == [f"node-lost {ONE_A}", f"node-lost {' '.join(NODES_A[:2])}", f"site-lost {A}"]


def test_an_old_answer_is_a_silence():
    """What a node said two minutes ago says nothing of now: it is no voice that keeps its site from being lost."""
    world = healthy().dead(A, after=120)
    world.looks()
    world.votes[ONE_A] = World().votes[ONE_A]
    verdict = world.looks()

    assert verdict.main.key == f"site-lost {A}"
    assert f"{ONE_A} (ssh)" in verdict.silent


def test_nothing_is_counted_from_before_a_gap():
    """A memory of three weeks ago cannot date a silence: what may be old is waited for, and T0 is not known."""
    world = healthy().dead(A, after=13).clients(*NODES)
    past = {name: world.now - timedelta(days=21) for name in NODES}
    world.memory = world.memory.model_copy(update={"alive": past, "counted": past})

    assert world.looks().settling
    assert world.memory.t0(NODES_A) is None
    assert world.clients(*NODES_B).after(15).looks().main.key == f"site-lost {A}"


def test_a_liar_cannot_rename_a_known_node():
    """A node that starts anew with other ids must not make members of strangers."""
    world = healthy().api([NODES_A[2]], ids={1: "x", 2: "y", 3: "z"}).after(1)
    assert world.looks().kind == "healthy"

    world.api([NODES_A[2]], ids={4: ONE_A}, quorate=False).after(1)
    assert world.looks().kind == "healthy"


def test_a_cluster_that_was_built_anew_has_new_names():
    """The ids of a complete, quorate cluster are believed: joining in another order is no incident."""
    numbers = dict(enumerate(reversed(NODES), start=1))
    world = healthy().api(NODES, ids=numbers).after(1)

    assert world.looks().kind == "healthy"
    assert world.memory.ids == numbers


def test_a_first_look_waits_for_what_may_be_old():
    """A worker that starts in the middle of a loss does not take stale clients for a split."""
    world = World(known=False).dead(A, after=0).clients(*NODES_A, *NODES_B)
    assert world.looks().settling

    assert world.after(16).looks().kind == "sites-parted"
    assert world.clients(*NODES_B).after(1).looks().kind == "site-lost"


def test_a_word_older_than_the_last_sign_of_life_is_no_proof():
    """The witness and the array were asked before the site was heard last."""
    world = healthy()
    before = (world.dead(A, after=0).witness, world.arrays[ARRAY_B])
    world = healthy().after(5)
    world.looks()
    world.dead(A)
    world.witness, world.arrays[ARRAY_B] = before

    verdict = world.looks()
    assert (verdict.kind, verdict.main.where) == ("undetermined", ("one domain",))


def test_a_site_that_comes_back_is_whole_again_by_itself():
    """Loss, transients, return: what is told on the way, and nothing that is not so."""
    world = healthy()
    told = [world.looks().kind, world.dead(A).looks().kind, world.after(60).looks().kind]
    for node in NODES_A:
        world.votes[node] = World().votes[node]
    told.append(_alone(world, *NODES_A).after(60).looks().kind)
    told.append(world.views(NODES_B, total=7, settled=False).after(2).looks().kind)
    back = World(memory=world.memory)
    back.now = world.now
    told.append(back.after(2).looks().kind)

    assert told == ["healthy", "site-lost", "site-lost", "site-isolated", "undetermined", "healthy"]


def test_both_sites_are_judged_alike():
    """No rule knows which site is the first one."""
    reasons = {
        site: "; ".join(healthy().dead(site).looks().main.reasons).replace(site, "it").replace(OTHER[site], "other")
        for site in (A, B)
    }
    for old, new in (("SiteB", "Site1"), ("SiteA", "Site2"), ("pxmx02", "n1"), ("pxmx01", "n2")):
        reasons[A] = reasons[A].replace(old, new)
    for old, new in (("SiteA", "Site1"), ("SiteB", "Site2"), ("pxmx01", "n1"), ("pxmx02", "n2")):
        reasons[B] = reasons[B].replace(old, new)

    assert reasons[A] == reasons[B]
