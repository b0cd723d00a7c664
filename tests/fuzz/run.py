"""One schedule from its beginning to its end, with a look at everything every few seconds."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from lab.built import add_guest, build
from lab.control.drills import Drills
from lab.control.places import Unfit
from lab.physics import jump
from lab.pve.daemon.calls import Call
from lab.pve.errors import PveError
from lab.pve.etc.access import ROOT
from lab.pve.responses import backups
from lab.pve.work.guest import Kind
from lab.world import World
from tests.fuzz.knowledge import Memory
from tests.fuzz.laws import REVERTED, broken
from tests.fuzz.schedule import Act, draw
from tests.fuzz.views import ROUTES, ask
from tests.lab.stage import INVENTORY

LOOK_EVERY, CALM_LOOK_EVERY = 10.0, 40.0
# After everything was restored: a watchdog's reset and a boot, and then two lock lifetimes, a start and what they cost.
RETURNS_WITHIN, CALMS_WITHIN = 120.0, 420.0
# HA's own guests besides the two of the article, a container of each site and a stopped machine among them; and one
# guest of each kind that HA does not know.
MORE: dict[int, tuple[str, Kind, str]] = {
    302: ("pxmx02-01", "qemu", "started"),
    303: ("pxmx01-03", "qemu", "started"),
    304: ("pxmx01-02", "lxc", "started"),
    305: ("pxmx02-02", "lxc", "started"),
    306: ("pxmx01-01", "qemu", "stopped"),
}
UNMANAGED: dict[int, tuple[str, Kind]] = {400: ("pxmx01-03", "qemu"), 401: ("pxmx02-03", "lxc")}


@dataclass
class Outcome:
    """What one seed has come to. `contradictions` are empty when all is well."""

    seed: int
    acts: list[Act]
    looks: int = 0
    contradictions: list[str] = field(default_factory=list)
    # Where the real stack, too, would let a guest run twice: nodes of failed watchdogs or bent clocks, nodes that were
    # cut off while HA was disarmed, and a vote that has moved to a site with an older /etc/pve, whose writes are lost
    # when it meets the others again.
    excused: set[str] = field(default_factory=set)
    resets: int = 0
    recoveries: int = 0
    doubles: int = 0  # looks in which a guest ran twice


def run(seed: int) -> Outcome:
    """Play the schedule of a seed."""
    return jump.run(_play(seed))


async def _play(seed: int) -> Outcome:
    outcome = Outcome(seed, draw(seed, INVENTORY))
    world = World(INVENTORY, clock=jump.clock(), seed=seed)
    await world.cluster.start()
    await build(world)
    for vmid, (node, kind, state) in MORE.items():
        add_guest(world, vmid, node, kind, running=state == "started", ha=state)
    for vmid, (node, kind) in UNMANAGED.items():
        add_guest(world, vmid, node, kind)
    world.cluster.jobs["nightly"] = {"enabled": 1, "vmid": ",".join(map(str, UNMANAGED)), "storage": "local"}
    await world.clock.sleep(60)
    drills = Drills(world)
    memory = Memory(world)
    began = world.clock.now()
    for act in outcome.acts:
        await _watch(world, memory, outcome, began + act.at)
        if act.verb == "deed":
            await _deed(world, act.words[0], int(act.words[1]), int(act.words[2]))
        else:
            _do(world, drills, outcome, act)
    await _watch(world, memory, outcome, world.clock.now() + 60)
    drills.restore_all(by="fuzz")
    await _watch(world, memory, outcome, world.clock.now() + RETURNS_WITHIN)
    # not before all are back: what a partition wrote that then died may be lost with it
    world.cluster.ha.commands.append(("arm-ha", "", ""))
    world.cluster.ha.commands.extend(("node-maintenance", node, "disable") for node in world.nodes)
    await _let_go_and_taken_back(world, memory, outcome)
    await _watch(world, memory, outcome, world.clock.now() + CALMS_WITHIN, CALM_LOOK_EVERY)
    if not outcome.contradictions:
        outcome.contradictions += [f"at the end: {said}" for said in _calm(world, outcome)]
    outcome.resets = sum(change.what == "watchdog.reset" for change in world.changes)
    outcome.recoveries = sum(change.what == "ha.recover" for change in world.changes)
    await world.cluster.stop()
    left = list(world.background)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return outcome


async def _deed(world: World, deed: str, vmid: int, number: int) -> None:
    """A person's call to the node that has the guest; whatever is refused is not done."""
    guest, nodes = world.cluster.guests[vmid], list(world.nodes)
    target = nodes[nodes.index(guest.node) - 3]
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "clone": ("POST", "/clone", {"newid": number}),
        "move": ("POST", "/migrate", {"target": target, "online": 1, "restart": 1}),
        "describe": ("PUT", "/config", {"description": f"{world.clock.now():.0f}"}),
        "start": ("POST", "/status/start", {}),
        "shutdown": ("POST", "/status/shutdown", {}),
    }
    if deed == "backup":
        backups.run(world.cluster, "nightly")
    elif deed == "options":
        if world.membership.writable(guest.node):
            world.cluster.options["description"] = f"{world.clock.now():.0f}"
    elif world.nodes[guest.node].powered:
        verb, path, given = calls[deed]
        template = f"/nodes/{{node}}/{guest.kind}/{{vmid}}{path}"
        if handler := ROUTES.get((verb, template)):
            with contextlib.suppress(PveError):
                await handler(Call(world.cluster, guest.node, ROOT, {"node": guest.node, "vmid": vmid, **given}))


def _do(world: World, drills: Drills, outcome: Outcome, act: Act) -> None:
    if act.verb == "command":
        if any(world.membership.writable(node) for node in world.nodes):
            command, about, argument, *_ = (*act.words, "", "")
            world.cluster.ha.commands.append((command, about, argument))
        return
    name, *where = act.words
    if name in ("watchdog", "clock", "clock-drift"):
        outcome.excused.add(where[0])
    try:
        (drills.fail if act.verb == "fail" else drills.restore)(name, where, by="fuzz")
    except Unfit as error:
        outcome.contradictions.append(f"{act}: {error}")


async def _watch(world: World, memory: Memory, outcome: Outcome, until: float, every: float = LOOK_EVERY) -> None:
    """Let time pass, and look."""
    while True:
        outcome.looks += 1
        if any(change.what == "pmxcfs.revert" for change in world.changes):
            outcome.excused.add(REVERTED)
        outcome.excused |= _unguarded(world)
        seen = await ask(world)
        said = [*broken(world, seen, outcome.excused), *memory.broken(seen)]
        at = world.clock.now()
        outcome.contradictions += [f"{at % 100_000:9.1f}  {sentence}" for sentence in said]
        outcome.doubles += any(len(guest.runs_on) > 1 for guest in world.cluster.guests.values())
        if at >= until or len(outcome.contradictions) > 20:
            return
        await world.clock.sleep(min(every, until - at))


def _unguarded(world: World) -> set[str]:
    """Nodes cut off without a watchdog, as HA is disarmed: they run on, and HA, armed again, takes their guests."""
    manager = world.cluster.ha.manager
    if manager is None or manager.disarm is None or manager.disarm["mode"] != "ignore":
        return set()
    cut_off = {name for name, host in world.nodes.items() if host.powered and not world.membership.writable(name)}
    return {name for name in cut_off if not world.cluster.ha.watchdogs[name].clients}


async def _let_go_and_taken_back(world: World, memory: Memory, outcome: Outcome) -> None:
    """What a person does about guests whose node died right after they had left it: HA looks for them in vain."""
    ha, now = world.cluster.ha, world.clock.now
    known = ha.manager.services if ha.manager else {}
    lost = {sid: ha.resources[sid] for sid, one in known.items() if one.node != ha.guest_node(sid)}
    for sid in lost:
        del ha.resources[sid]
    if lost:
        await _watch(world, memory, outcome, now() + 30)
    ha.resources.update(lost)


def _calm(world: World, outcome: Outcome) -> list[str]:
    """With everything restored for long enough, all is well again; what HA has given up on stays in error."""
    said = []
    for name in world.nodes:
        votes = world.votes(name)
        if (votes.total, len(votes.members)) != (len(world.nodes) + 1, len(world.nodes)):
            said.append(f"{name} counts {votes.total} votes of {len(votes.members)} members")
    for array in world.arrays.values():
        for pod in array.pods:
            states = {member.array: pod.state(world.arrays[member.array]).status for member in pod.members}
            if set(states.values()) != {"online"}:
                said.append(f"pod {pod.name}: {states}")
    manager = world.cluster.ha.manager
    if manager is None:
        return [*said, "HA has no manager"]
    for node, state in manager.nodes.items():
        if state != "online":
            said.append(f"HA has {node} as {state}")
    for sid, service in manager.services.items():
        guest, wanted = world.cluster.guests[int(sid[3:])], world.cluster.ha.resources[sid]["state"]
        if service.state == "error" or outcome.excused:
            continue
        if service.state != wanted or guest.running != (wanted == "started"):
            said.append(f"{sid} is {service.state} on {service.node}, running: {guest.running}, lock: {guest.lock}")
    return said
