"""The catalogue of incidents as faults of the twin, and what the watch has to call each of them.

An incident is in this table when a verdict can tell it apart; `None` means that there is nothing to tell: it must stay
healthy. Pages are kept as text beside this file.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cluster.conditions import Kind
from cluster.inventory import Inventory

A, B = "X90R3-SiteA", "X90R3-SiteB"
# Stands for every node of the first site, however many an example has.
NODES_A = "{each node of site-a}"


@dataclass(frozen=True)
class Scenario:
    """Faults that begin together, and the verdict that follows."""

    name: str
    incidents: tuple[str, ...]
    faults: tuple[tuple[str, ...], ...]
    kind: Kind
    where: tuple[str, ...] = ()
    prefers: str = ""  # the pod's failover preference: without one the mediator's race is a matter of luck

    def faults_on(self, inventory: Inventory) -> list[tuple[str, ...]]:
        """The faults with every node spelt out."""
        nodes = [node.name for node in inventory.sites[0].nodes]
        return [
            tuple(word.replace(NODES_A, node) for word in fault)
            for fault in self.faults
            for node in (nodes if any(NODES_A in word for word in fault) else nodes[:1])
        ]

    def where_on(self, inventory: Inventory, named: Callable[[str], str]) -> tuple[str, ...]:
        """Where it is, in an example's own names."""
        nodes = [node.name for node in inventory.sites[0].nodes]
        return tuple(name for word in self.where for name in (nodes if word == NODES_A else [named(word)]))


SCENARIOS = (
    Scenario("site-power", ("I-01",), (("site-power", "site-a"),), "site-lost", ("site-a",)),
    Scenario("site-network", ("I-02",), (("site-network", "site-a"),), "site-isolated", ("site-a",)),
    Scenario("inter-site", ("I-03",), (("inter-site",),), "sites-parted", ("site-a", "site-b")),
    Scenario(
        "inter-site-and-replication", ("I-03",), (("inter-site",), ("replication",)), "storage-elsewhere",
        ("site-a", "site-b"), prefers=B,
    ),
    Scenario("witness", ("I-04",), (("witness",),), "witness-lost", ("qdevice",)),
    Scenario("witness-link", ("I-04",), (("witness-link", "site-a"),), "witness-lost", ("qdevice", "site-a")),
    Scenario("witness-and-site", ("I-05",), (("witness",), ("site-power", "site-a")), "quorum-lost", ("site-a",)),
    Scenario(
        "both-sites", ("I-06", "I-07"), (("site-power", "site-a"), ("site-power", "site-b")), "quorum-lost"
    ),
    Scenario("array", ("I-08",), (("array", A),), "array-lost", (A,)),
    Scenario("replication", ("I-09",), (("replication",),), "replication-lost", (B,), prefers=A),
    Scenario("mediator", ("I-10",), (("mediator",),), "mediator-lost", (A, B)),
    Scenario("mediator-of-one", ("I-10",), (("mediator", "site-a"),), "mediator-lost", (A,)),
    Scenario("portal", ("I-13",), (("portal", A, "0"),), "paths-degraded"),
    Scenario("controller", ("I-08", "I-13"), (("controller", A, "CT0"),), "paths-degraded"),
    Scenario("node", ("I-17", "I-20"), (("node", "pxmx01-01"),), "node-lost", ("pxmx01-01",)),
    Scenario("node-network", ("I-17", "I-23"), (("node-network", "pxmx01-01"),), "node-lost", ("pxmx01-01",)),
    Scenario("nodes-not-array", ("I-17",), (("node", NODES_A),), "site-lost", ("site-a",)),
    Scenario(
        "liar", ("I-31",), (("lying-api", "ssh:pxmx02-01"), ("site-power", "site-a")), "undetermined",
        ("disagreement",),
    ),
    Scenario("clock", ("I-24",), (("clock", "pxmx01-01", "20"),), "healthy"),
    Scenario("ring", ("I-25",), (("ring", "pxmx01-01", "0"),), "links-down", ("pxmx01-01",)),
    Scenario("latency", ("I-29",), (("latency", "site-a", "site-b", "8"),), "healthy"),
    Scenario("hung-api", ("I-32",), (("hung-api", "pve:pxmx01-01"),), "blind", ("pxmx01-01",)),
    Scenario("failing-array-api", ("I-32",), (("failing-api", A, "503"),), "blind", (A,)),
    Scenario(
        "management-of-a-site", ("I-31", "I-32"),
        (("hung-api", f"pve:{NODES_A}"), ("hung-api", f"ssh:{NODES_A}")), "blind", (NODES_A,),
    ),
)  # fmt: skip
