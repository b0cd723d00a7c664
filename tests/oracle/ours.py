"""The twin: the same scenario on lab time that jumps."""

import asyncio

from lab.control.drills import Drills
from lab.physics import jump
from lab.physics.power import switch_off, switch_on
from lab.pve.models import Guest
from lab.pve.work.shutdown import shut_down
from lab.world import World
from tests.lab.stage import INVENTORY
from tests.oracle.scenario import BETWEEN, Act, Scenario
from tests.oracle.story import Story

NODES = tuple(node.name for node in INVENTORY.nodes)
# The simulator's machines stay off after their watchdog's reset, and are up at once when they get their power.
NEVER, AT_ONCE = 1e9, 0.5
FIRST_ROUND, APART = 4.0, 0.1


def play(scenario: Scenario) -> Story:
    """Play it."""
    return jump.run(_played(scenario))


class _Play:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario, self.told = scenario, Story()
        self.world = World(INVENTORY, clock=jump.clock(), seed=scenario.seed)
        self.drills = Drills(self.world)
        self._known: dict[str, tuple[str, str]] = {}
        self._fenced = 0

    async def run(self) -> None:
        """From the start of the cluster to its rest after the last step."""
        cluster, ha = self.world.cluster, self.world.cluster.ha
        ha.first_master = self._scenario.nodes[0]
        # The simulator's daemons have their rounds one after the other, in the order of their names: the first CRM
        # that is left is the next master, and locks grow old together. In a real cluster, and in the twin otherwise,
        # that is chance.
        ha.phases = {
            node: ((FIRST_ROUND + number * APART,) * 2, (FIRST_ROUND + (number + len(ha.phases)) * APART,) * 2)
            for number, node in enumerate(ha.phases)
        }
        cluster.options["ha"] = f"shutdown_policy={self._scenario.policy}"
        for one in self._scenario.services:
            vmid = int(one.sid[3:])
            cluster.guests[vmid] = Guest(vmid, one.node, {"name": f"vm-{vmid}"}, running=False)
            ha.resources[one.sid] = {"state": one.state, "failback": one.failback}
        for rule in self._scenario.rules:
            properties = {name: int(value) if name == "strict" else value for name, value in rule.properties}
            ha.rules[rule.name] = {"rule": rule.name, "type": rule.kind, **properties}
        await cluster.start()
        self.world.BOOTS_IN = NEVER
        await self._watch(BETWEEN)
        for number, step in enumerate(self._scenario.steps):
            self.told.begins(number, self.world.clock.now())
            for act in step:
                await self._do(act)
            await self._watch(BETWEEN)
        manager = ha.manager
        self.told.ends = {sid: (one.state, one.node) for sid, one in (manager.services if manager else {}).items()}
        await cluster.stop()

    async def _watch(self, seconds: float) -> None:
        """Note what is written, round by round."""
        until = self.world.clock.now() + seconds
        while self.world.clock.now() < until:
            manager = self.world.cluster.ha.manager
            for sid, service in sorted((manager.services if manager else {}).items()):
                stands = (service.state, service.node)
                if self._known.get(sid) != stands:
                    self.told.changed(sid, service.state, self.world.clock.now())
                    self._known[sid] = stands
            changes = self.world.changes
            self.told.fenced += [one.target for one in changes[self._fenced :] if one.what == "ha.fenced"]
            self._fenced = len(changes)
            await asyncio.sleep(0.5)

    async def _do(self, act: Act) -> None:
        world, ha = self.world, self.world.cluster.ha
        match act.verb:
            case "power-off":
                switch_off(world, [act.about])
            case "power-on":
                self.drills.restore("node-network", [act.about], by="oracle")
                world.BOOTS_IN = AT_ONCE
                await switch_on(world, [act.about])
                world.BOOTS_IN = NEVER
            case "network-off":
                self.drills.fail("node-network", [act.about], by="oracle")
            case "shutdown":
                world.cluster.spawn(shut_down(world.cluster, act.about, reboot=False))
            case "maintenance":
                ha.commands.append(("node-maintenance", act.about, act.word))
            case "migrate" | "relocate" | "stop":
                ha.commands.append((act.verb, act.about, act.word))
            case "state":
                ha.update_resource(act.about, {"state": act.word})
            case "disarm":
                ha.commands.append(("disarm-ha", "", act.word))
            case "arm":
                ha.commands.append(("arm-ha", "", ""))
            case "crm-stop" if world.nodes[act.about].powered:
                self.drills.fail("crm-stopped", [act.about], by="oracle")
            case "crm-start" if world.nodes[act.about].powered:
                self.drills.restore("crm-stopped", [act.about], by="oracle")


async def _played(scenario: Scenario) -> Story:
    one = _Play(scenario)
    await one.run()
    return one.told
