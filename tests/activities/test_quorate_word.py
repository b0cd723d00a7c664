"""HA's state is read from a node that is quorate, and a node that cannot now is passed over."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox_answers import refused
from activities.clients.quick import Clients
from activities.clients.ssh import Answer
from activities.errors import NotYet, Refuted, Rejected, Unauthorized, Unreachable, Word
from activities.ha.maintenance import Maintenance
from activities.ha.manager import MANAGER, is_quorate, told_by_quorum
from activities.ha.moves import Migration
from activities.ha.placement import Placements
from activities.ha.standing import Proofs
from cluster.evacuation import MaintenanceWish
from cluster.move import Move, MoveWish
from cluster.outages import GuestsWish, Standing
from cluster.placement import PlacementWish
from cluster.plan import Mode
from cluster.quarantine import QuarantineWish, at_rest
from cluster.recovery import HaView, Service
from tests.cases.inputs import Api, Hosts, clients

A, B, C = "node-a", "node-b", "node-c"
VG = "vg-metro"


def state(quorate: object, **services: str) -> dict[str, Any]:
    """``manager_status`` as a node tells it: guests by their nodes."""
    listed = {sid.replace("_", ":"): {"state": "started", "node": node} for sid, node in services.items()}
    status = {"master_node": A, "node_status": dict.fromkeys((A, B, C), "online"), "service_status": listed}
    return {"manager_status": status, "quorum": {"node": "?", "quorate": quorate}}


class Nodes(Api):
    """An API of several nodes, each with answers of its own; a word instead of an answer is raised."""

    def __init__(self, told: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> None:
        super().__init__(other or {})
        self.told = told

    @property
    def nodes(self) -> list[str]:
        return list(self.told)

    def get(self, path: str, /, *, node: str | None = None, **_: Any) -> Any:
        if path != MANAGER:
            self.asked.append(f"{node}: {path}")
            return self.answers[path]
        found = self.told[node or self.nodes[0]]
        if isinstance(found, Word):
            raise found
        return found


OLD, NOW = state(0, vm_300=A), state(1, vm_300=B)


@pytest.mark.parametrize(
    ("quorate", "yes"), [(1, True), ("1", True), (0, False), ("0", False), ("", False), (None, False), (True, True)]
)
def test_quorate_is_a_number_a_text_or_nothing(quorate: object, yes: bool):
    """As different versions write it (reference: pve-ha §12)."""
    assert is_quorate(state(quorate)) is yes


@pytest.mark.parametrize(
    "first",
    [OLD, Unreachable("it does not answer"), NotYet("500 no quorum!"), refused("595 No route to host")],
    ids=["no quorum", "silent", "refuses for now", "a proxy's error"],
)
def test_the_next_node_is_asked(first: object):
    """What the first one tells is of before its loss, or nothing."""
    assert told_by_quorum(cast(Any, Nodes({A: first, B: NOW}))) == (B, NOW)


def test_what_every_node_would_refuse_is_an_error_at_once():
    """A missing right does not get better at the next node."""
    with pytest.raises(Unauthorized, match=r"Sys\.Audit"):
        told_by_quorum(cast(Any, Nodes({A: Unauthorized("Sys.Audit"), B: NOW})))


def test_nobody_quorate_is_silence_with_each_reason():
    """And never the word of the last one."""
    with pytest.raises(Unreachable, match="node-a has no quorum; node-b does not answer"):
        told_by_quorum(cast(Any, Nodes({A: OLD, B: Unreachable("node-b does not answer")})))


def test_only_the_nodes_that_are_named_are_asked():
    """A survivor's word is asked for where the other site may be in pieces."""
    with pytest.raises(Unreachable):
        told_by_quorum(cast(Any, Nodes({A: OLD, B: NOW})), (A,))


def reached(api: Api, ssh: Hosts | None = None) -> Clients:
    return clients(ssh, api)


async def test_moves_and_plans_go_by_the_quorate_part():
    """The node that answers first still has the guest where it ran before the sites parted."""
    listed: list[dict[str, Any]] = [{"type": "qemu", "id": "qemu/300", "vmid": 300, "node": B, "status": "running"}]
    other = {
        "cluster/resources": listed, "cluster/ha/rules": [], "cluster/ha/resources": [], "cluster/backup": [],
        "cluster/options": {},
    }  # fmt: skip
    api = Nodes({A: OLD, B: NOW}, other)
    migration = Migration(reached(api), cast(Any, api), cast(Any, None))
    assert (await migration._ha()).services["vm:300"].node == B
    placement = await asyncio.to_thread(
        ActivityEnvironment().run, Placements(cast(Any, api), reached(api)).placement, PlacementWish(guests=())
    )
    assert placement.services["vm:300"].node == B
    assert f"{B}: cluster/resources" in api.asked  # guests and nodes as the same part sees them


# --- a request that one node cannot take ---


class Refusing(Hosts):
    """Hosts on which `ha-manager` ends badly, with these last words."""

    async def run(self, host: str, *words: str, limit: float | None = None) -> Answer:
        self.asked.append(host)
        said = self.said.get(host, "")
        return Answer(host, " ".join(words), cast(Any, ""), str(said), 255 if said else 0)


def wish(on: bool = True) -> MaintenanceWish:
    return MaintenanceWish(mode=Mode.APPLY, node=C, on=on, turn=1, via=(A, B), approval=None)


@pytest.mark.parametrize(
    "words",
    [
        "cluster not ready - no quorum?",
        "ipcc_send_rec[1] failed: Connection refused\nUnable to load access control list: Connection refused",
        "cfs-lock 'file-ha_crm_commands' error: no quorum!",
        "unable to open file '/etc/pve/ha/crm_commands.tmp.1': Permission denied",
        "unable to write '/etc/pve/ha/crm_commands': Input/output error",
        "595 Errors during connection establishment, proxy handshake: No route to host",
        "596 Connection timed out",
        "Transport endpoint is not connected",
    ],
)
async def test_a_node_that_cannot_now_is_passed_over(words: str):
    """Another one takes the request; filed twice it is the same."""
    hosts = Refusing({A: words})
    await Maintenance(reached(Api({}), hosts), cast(Any, None))._request(wish())
    assert hosts.asked == [A, B]


async def test_a_request_that_is_wrong_is_sent_to_nobody_else():
    """The next node would say the same."""
    hosts = Refusing({A: "400 Parameter verification failed. node: no such cluster node 'node-c'"})
    with pytest.raises(Rejected, match="no such cluster node"):
        await Maintenance(reached(Api({}), hosts), cast(Any, None))._request(wish())
    assert hosts.asked == [A]


async def test_a_request_that_no_node_takes_is_tried_again_with_each_reason():
    """By Temporal or the engine: it may pass."""
    hosts = Refusing({A: "no quorum?", B: "596 Connection timed out"})
    with pytest.raises(Unreachable, match=r"node-a: no quorum.*node-b: 596"):
        await Maintenance(reached(Api({}), hosts), cast(Any, None))._request(wish())


# --- a node that does not tell its volumes ---


def lvs(attr: str = "") -> str:
    rows = [f'{{"lv_name": "vm-300-disk-0", "lv_attr": "{attr}"}}'] if attr else []
    return f'{{"report": [{{"lv": [{", ".join(rows)}]}}]}}'


class Silent(Hosts):
    """Hosts of which some fail at `lvs`."""

    def __init__(self, said: Mapping[str, str], *silent: str) -> None:
        super().__init__({node: {"lvs": text} for node, text in said.items()})
        self.silent = silent

    async def read(self, host: str, *words: str, limit: float | None = None) -> str:
        if host in self.silent and words[0] == "lvs":
            raise Unreachable(f"{host} hangs")
        return await super().read(host, *words, limit=limit)


OPEN, FREE = lvs("-wi-ao----"), lvs("-wi-------")
RUNNING = {"status": "running", "qmpstatus": "running", "uptime": 60}
VIEW = HaView(master=A, nodes=dict.fromkeys((A, B, C), "online"), services={"vm:300": Service(state="started", node=B)})


def proofs(hosts: Hosts) -> Proofs:
    api = Api({f"nodes/{B}/qemu/300/status/current": RUNNING})
    known = {"vm:300": Standing(state="down", node=A)}
    return Proofs(reached(api, hosts), GuestsWish(known=known, nodes=(A, B, C), via=(B,), vg=VG), 1e6)


async def stands(looks: Proofs, times: int) -> Standing:
    for _ in range(times):
        found = (await looks.look(VIEW))["vm:300"]
    return found


@pytest.mark.parametrize("silent", [B, C])
async def test_one_node_that_does_not_tell_its_volumes_blocks_nobody(silent: str):
    """What runs is told as running and not proven, with that node and its reason; not at the first silence."""
    looks = proofs(Silent({A: FREE, B: OPEN, C: FREE}, silent))
    assert (await stands(looks, 2)).state == "down"
    found = await stands(looks, 1)
    assert (found.state, found.node) == ("unproven", B)
    assert found.text == (
        f"QEMU runs on {B}; not proven that its volume is open there alone: "
        f"{silent} does not report its volumes: {silent} hangs"
    )


async def test_the_proof_is_made_up_for_when_the_node_tells_again():
    """Nobody has to ask for it."""
    hosts = Silent({A: FREE, B: OPEN, C: FREE}, C)
    looks = proofs(hosts)
    assert (await stands(looks, 3)).state == "unproven"
    hosts.silent = ()
    assert (await stands(looks, 1)).state == "running"


async def test_a_volume_that_is_open_elsewhere_is_no_matter_of_silence():
    """What the others tell counts: it is not said to run there."""
    looks = proofs(Silent({A: OPEN, B: OPEN, C: FREE}, C))
    assert (await stands(looks, 5)).state == "down"


class Closed:
    """An API that shows no guest."""

    def get(self, path: str, /, **_: Any) -> Any:
        raise Unauthorized(f"Permission check failed ({path}, VM.Audit)")


@pytest.mark.parametrize(
    ("service", "state"),
    [
        (Service(state="started", node=B), "down"),  # HA's word of before its node has begun to start it
        (Service(state="started", node=B, running=True), "unproven"),
        (Service(state="started", node=A, running=True), "down"),  # the node that was lost
    ],
)
async def test_a_guest_that_may_not_be_looked_at_is_up_only_by_a_word_of_now(service: Service, state: str):
    """What was lost stays down until HA calls it running where no node was lost; that is not proven either."""
    known = {"vm:300": Standing(state="down", node=A)}
    looks = Proofs(reached(cast(Any, Closed())), GuestsWish(known=known, nodes=(A, B, C), via=(B,), vg=VG), 1e6)

    found = await looks.look(VIEW.model_copy(update={"services": {"vm:300": service}}))

    assert found["vm:300"].state == state


def move() -> MoveWish:
    return MoveWish(
        mode=Mode.APPLY, move=Move(sid="vm:300", name="", source=A, home=B), turn=1, approval=None, nodes=(A, B, C),
        vg=VG, volume="v", arrays=("x", "y"), lun=1,
    )  # fmt: skip


@pytest.mark.parametrize("silent", [A, B])
async def test_no_guest_is_moved_where_it_could_not_be_proven(silent: str):
    """Neither end of a move may be silent: the guest stays where it is."""
    migration = Migration(
        reached(Api({}), Silent({A: OPEN, B: FREE, C: FREE}, silent)), cast(Any, None), cast(Any, None)
    )
    with pytest.raises(Refuted, match=f"vm:300 is not moved to {B}.*{silent} does not report its volumes"):
        await migration._must_prove(move())


async def test_a_third_node_that_is_silent_keeps_no_guest_from_moving():
    """It is neither end of the move."""
    migration = Migration(reached(Api({}), Silent({A: OPEN, B: FREE, C: FREE}, C)), cast(Any, None), cast(Any, None))
    await migration._must_prove(move())


# --- a node that rests ---


@pytest.mark.parametrize(
    ("more", "rests"),
    [
        ({}, (A, C)),  # a failback, an incident, the survivor of an evacuation: people have put them there
        ({"resting": True}, (C,)),  # a return releases the site's nodes, and checks them before
        ({"resting": True, "rested": (A,)}, (A, C)),
        ({"rested": (A,)}, (A, C)),
    ],
)
def test_a_node_in_maintenance_rests_unless_the_run_is_about_to_release_it(
    more: dict[str, Any], rests: tuple[str, ...]
):
    """`node-a` and `node-b` are the site, `node-c` is elsewhere and nobody's business."""
    asked = QuarantineWish(site="s", soak=timedelta(), **more)
    assert at_rest(asked, (A, B), {A: "maintenance", B: "online", C: "maintenance"}) == rests
