"""A scenario: services, rules, a policy and what is done to them; drawn from a seed. Both sides play it from here."""

import random
from dataclasses import dataclass

# Between two acts everything has come to rest, in seconds; a fencing and its recovery take up to five minutes.
BETWEEN = 400
STATES = ("started", "started", "started", "started", "stopped", "disabled", "ignored")
POLICIES = ("conditional", "conditional", "migrate", "failover", "freeze")


@dataclass(frozen=True)
class Act:
    """One thing that is done: a verb, what it is done to, and one word more."""

    verb: str
    about: str = ""
    word: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.verb, self.about, self.word) if part)


@dataclass(frozen=True)
class Service:
    """A virtual machine under HA."""

    sid: str
    node: str
    state: str
    failback: int = 1


@dataclass(frozen=True)
class Rule:
    """A rule as both keep it: ``node-affinity`` or ``resource-affinity`` with its properties."""

    name: str
    kind: str
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Scenario:
    """All of it; the steps' acts are done at the same moment."""

    seed: int
    nodes: tuple[str, ...]
    services: tuple[Service, ...]
    rules: tuple[Rule, ...]
    policy: str
    steps: tuple[tuple[Act, ...], ...]

    def told(self) -> str:
        """For a person who looks for what differs."""
        services = ", ".join(f"{one.sid} {one.state} on {one.node}" for one in self.services)
        rules = "; ".join(f"{one.kind} {dict(one.properties)}" for one in self.rules)
        steps = " | ".join(", ".join(map(str, step)) for step in self.steps)
        return f"seed {self.seed}: {services}; rules: {rules or 'none'}; policy {self.policy}; {steps}"


def draw(seed: int, nodes: tuple[str, ...]) -> Scenario:
    """The scenario of a seed on these nodes."""
    lots = random.Random(seed)
    services = tuple(
        Service(f"vm:{300 + number}", lots.choice(nodes), lots.choice(STATES), lots.choice((1, 1, 0)))
        for number in range(lots.choice((1, 2, 3, 4, 6)))
    )
    rules = tuple(_rules(lots, nodes, [one.sid for one in services]))
    return Scenario(seed, nodes, services, rules, lots.choice(POLICIES), tuple(_steps(lots, nodes, services)))


def _rules(lots: random.Random, nodes: tuple[str, ...], sids: list[str]) -> list[Rule]:
    """None, or some of each kind; such as contradict each other, too."""
    found = []
    for number in range(lots.choice((0, 0, 1, 1, 2))):
        chosen = sorted(lots.sample(nodes, k=lots.choice((1, 2, 3))))
        listed = ",".join(f"{node}:{lots.choice((1, 2))}" if lots.random() < 0.3 else node for node in chosen)
        strict = lots.choice(("0", "0", "1"))
        properties = (("nodes", listed), ("resources", _some(lots, sids, 1)), ("strict", strict))
        found.append(Rule(f"home-{number}", "node-affinity", properties))
    for number in range(lots.choice((0, 0, 1, 2)) if len(sids) > 1 else 0):
        affinity = lots.choice(("positive", "negative"))
        together = (("affinity", affinity), ("resources", _some(lots, sids, 2)))
        found.append(Rule(f"affinity-{number}", "resource-affinity", together))
    return found


def _some(lots: random.Random, sids: list[str], least: int) -> str:
    return ",".join(sorted(lots.sample(sids, k=lots.randint(least, min(len(sids), 3)))))


def _steps(lots: random.Random, nodes: tuple[str, ...], services: tuple[Service, ...]) -> list[tuple[Act, ...]]:
    """One to three steps; what was taken from a node may be given back in the next one."""
    steps: list[tuple[Act, ...]] = []
    back: list[Act] = []
    for _ in range(lots.choice((1, 2, 2, 3))):
        if back and lots.random() < 0.6:
            steps.append(tuple(back))
            back = []
            continue
        done, undone = lots.choice((_node, _node, _node, _service, _service, _whole))(lots, nodes, services)
        steps.append(done)
        back += undone
    return steps


Step = tuple[tuple[Act, ...], list[Act]]


def _node(lots: random.Random, nodes: tuple[str, ...], _: tuple[Service, ...]) -> Step:
    """Something happens to a node, or to two."""
    node = lots.choice(nodes)
    verb = lots.choice(("power-off", "power-off", "network-off", "shutdown", "maintenance", "two"))
    if verb == "maintenance":
        return (Act(verb, node, "enable"),), [Act(verb, node, "disable")]
    if verb == "two":
        pair = sorted(lots.sample(nodes, k=2))
        return tuple(Act("power-off", one) for one in pair), [Act("power-on", one) for one in pair]
    return (Act(verb, node),), [Act("power-on", node)]


def _service(lots: random.Random, nodes: tuple[str, ...], services: tuple[Service, ...]) -> Step:
    """People command something of one service, or of all at once."""
    sid, node = lots.choice(services).sid, lots.choice(nodes)
    verb = lots.choice(("migrate", "relocate", "stop", "state", "all"))
    if verb == "all":
        return tuple(Act("migrate", one.sid, lots.choice(nodes)) for one in services), []
    words = {"stop": "0", "state": lots.choice(("started", "stopped", "disabled"))}
    return (Act(verb, sid, words.get(verb, node)),), []


def _whole(lots: random.Random, nodes: tuple[str, ...], _: tuple[Service, ...]) -> Step:
    """Something happens to all of HA."""
    if lots.random() < 0.5:
        return (Act("disarm", word=lots.choice(("freeze", "ignore"))),), [Act("arm")]
    return (Act("crm-stop", nodes[0]),), [Act("crm-start", nodes[0])]
