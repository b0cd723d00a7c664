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
    found = []
    if lots.random() < 0.5:
        chosen = lots.sample(nodes, k=lots.choice((1, 2, 3)))
        listed = ",".join(f"{node}:{lots.choice((1, 2))}" if lots.random() < 0.4 else node for node in sorted(chosen))
        some = ",".join(sorted(lots.sample(sids, k=lots.randint(1, len(sids)))))
        found.append(
            Rule(
                "home",
                "node-affinity",
                (("nodes", listed), ("resources", some), ("strict", lots.choice(("0", "0", "1")))),
            )
        )
    if len(sids) > 1 and lots.random() < 0.3:
        some = ",".join(sorted(lots.sample(sids, k=lots.randint(2, min(3, len(sids))))))
        affinity = lots.choice(("positive", "negative"))
        found.append(Rule("together", "resource-affinity", (("affinity", affinity), ("resources", some))))
    return found


def _steps(lots: random.Random, nodes: tuple[str, ...], services: tuple[Service, ...]) -> list[tuple[Act, ...]]:
    """One to three steps; what was taken from a node may be given back in the next one."""
    steps: list[tuple[Act, ...]] = []
    back: list[Act] = []
    for _ in range(lots.choice((1, 2, 2, 3))):
        if back and lots.random() < 0.6:
            steps.append(tuple(back))
            back = []
            continue
        node, other, service = lots.choice(nodes), lots.choice(nodes), lots.choice(services)
        kind = lots.choice(
            ("off", "off", "network", "two off", "shutdown", "maintenance", "migrate", "relocate", "state", "stop",
             "disarm", "crm", "many")
        )  # fmt: skip
        if kind == "off":
            steps.append((Act("power-off", node),))
            back.append(Act("power-on", node))
        elif kind == "network":
            steps.append((Act("network-off", node),))
            back.append(Act("power-on", node))
        elif kind == "two off":
            pair = tuple(sorted({node, other}))
            steps.append(tuple(Act("power-off", one) for one in pair))
            back += [Act("power-on", one) for one in pair]
        elif kind == "shutdown":
            steps.append((Act("shutdown", node),))
            back.append(Act("power-on", node))
        elif kind == "maintenance":
            steps.append((Act("maintenance", node, "enable"),))
            back.append(Act("maintenance", node, "disable"))
        elif kind in ("migrate", "relocate"):
            steps.append((Act(kind, service.sid, node),))
        elif kind == "state":
            steps.append((Act("state", service.sid, lots.choice(("started", "stopped", "disabled"))),))
        elif kind == "stop":
            steps.append((Act("stop", service.sid, "0"),))
        elif kind == "disarm":
            steps.append((Act("disarm", word=lots.choice(("freeze", "ignore"))),))
            back.append(Act("arm"))
        elif kind == "crm":
            steps.append((Act("crm-stop", nodes[0]),))
            back.append(Act("crm-start", nodes[0]))
        else:
            steps.append(tuple(Act("migrate", one.sid, lots.choice(nodes)) for one in services))
    return steps
