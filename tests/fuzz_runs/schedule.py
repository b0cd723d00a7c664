"""A schedule: what happens to the world, to the workers and among the people, and when; drawn from a seed."""

import random
from dataclasses import dataclass

from cluster.inventory import Inventory

# Lab seconds in which things are begun; what they lead to is waited for afterwards.
SPAN = 420.0


@dataclass(frozen=True)
class Act:
    """One thing that is done, at so many lab seconds after the start of the schedule."""

    at: float
    verb: str
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.at:6.1f}  {self.verb} {' '.join(self.words)}".rstrip()


def draw(seed: int, inventory: Inventory) -> list[Act]:
    """The schedule of a seed, in the order of time: a story or two, and what comes between."""
    lots = random.Random(seed)
    sites = [site.name for site in inventory.sites]
    acts: list[Act] = []
    stories = lots.sample(STORIES, k=lots.choice((1, 2, 2, 3)))
    if stories[0] is _home_in_calm:  # nothing comes to its end beside a loss: often it is the only story
        stories = stories[:1]
    for story in stories:
        acts += story(lots, inventory, lots.choice(sites), lots.uniform(5, 120))
    for _ in range(0 if stories == [_home_in_calm] and lots.random() < 0.6 else lots.choice((1, 2, 4, 6))):
        acts.append(_between(lots, inventory, lots.uniform(5, SPAN)))
    acts += _nobody_looks(random.Random(f"nobody looks {seed}"), acts)
    return sorted(acts, key=lambda act: act.at)


def _nobody_looks(lots: random.Random, acts: list[Act]) -> list[Act]:
    """Sometimes the worker stands still when something is lost, until HA has moved guests, or nearly so.

    By a lot of its own: the other acts of a seed are the same with it and without.
    """
    lost = [act.at for act in acts if act.verb == "fail" and act.words[0] in ("site-power", "node")]
    if not lost or lots.random() > 0.25:
        return []
    return [Act(lots.choice(lost) + lots.uniform(0.1, 12), "stall-worker", (str(lots.choice((60, 120, 180, 240))),))]


# --- stories: what ordinarily happens in this order ------------------------------------------------------------------


def _loss_and_return(lots: random.Random, inventory: Inventory, site: str, at: float) -> list[Act]:
    """A site goes dark, with its array or without, at once or node by node; it comes back, and people bring home."""
    nodes = [node.name for node in inventory.site(site).nodes]
    gap = lots.choice((0.0, 0.0, 4.0, 25.0))
    faults = lots.choice(([("site-power", site)], [("node", node) for node in nodes]))
    acts = [Act(at + number * gap, "fail", fault) for number, fault in enumerate(faults)]
    if lots.random() < 0.5:
        acts.append(Act(at + lots.uniform(0.5, 6), "event"))
    back = at + lots.choice((40.0, 130.0, 240.0))
    returning = faults if lots.random() < 0.7 else faults[:-1]
    acts += [Act(back + lots.uniform(0, 20), "restore", fault) for fault in returning]
    return [*acts, *_people(lots, "failback", site, back + lots.uniform(5, 150))]


def _planned_work(lots: random.Random, inventory: Inventory, site: str, at: float) -> list[Act]:
    """A site is emptied; something may go wrong while people sign; it is taken back."""
    acts = _people(lots, "evacuate", site, at)
    if lots.random() < 0.6:
        acts.append(Act(at + lots.uniform(2, 90), "fail", _trouble(lots, inventory)))
    return [*acts, *_people(lots, "return", site, at + lots.uniform(150, 260))]


def _moved_before_the_loss(lots: random.Random, inventory: Inventory, site: str, at: float) -> list[Act]:
    """A guest leaves long before its old node is lost; an event comes in the first seconds."""
    where = [node.name for node in inventory.other_site(site).nodes]
    guest = lots.choice([f"vm:{guest.vmid}" for guest in inventory.guests])
    return [
        Act(2, "move", (guest, lots.choice(where))),
        Act(at + 90, "fail", ("site-power", site)),
        Act(at + 90 + lots.uniform(0.2, 4), "event"),
        Act(at + 300, "restore", ("site-power", site)),
    ]


def _witness_and_site(lots: random.Random, inventory: Inventory, site: str, at: float) -> list[Act]:
    """The rolling power failure: the witness blinks, then a site goes."""
    blink = lots.uniform(15, 70)
    return [
        Act(at, "fail", ("witness",)),
        Act(at + blink, "restore", ("witness",)),
        Act(at + blink + lots.uniform(5, 60), "fail", ("site-power", site)),
        Act(at + blink + 220, "restore", ("site-power", site)),
    ]


def _second_loss(lots: random.Random, inventory: Inventory, site: str, at: float) -> list[Act]:
    """The other site goes while the first one's incident is still open."""
    other = inventory.other_site(site).name
    return [
        Act(at, "fail", ("site-power", site)),
        Act(at + 190, "restore", ("site-power", site)),
        Act(at + 200 + lots.uniform(0, 60), "fail", ("site-power", other)),
        Act(at + 390, "restore", ("site-power", other)),
    ]


def _home_in_calm(lots: random.Random, inventory: Inventory, _: str, at: float) -> list[Act]:
    """Guests are sent to the other site; between the yes and a further attempt something ceases to be true."""
    first = inventory.guests[0]
    other = inventory.other_site(inventory.site_of(first.node).name)
    voters = lots.sample(("ben", "cleo", "dora"), k=2)
    begins = "refuse" if lots.random() < 0.7 else "go"
    ceases = lots.choice((("withdraw", lots.choice(voters)), ("fail", *_trouble(lots, inventory)), ("switch-on",)))
    return [Act(3 + at / 40, "calm", (other.name, f"vm:{first.vmid}", ",".join(voters), begins, *ceases))]


STORIES = (
    _loss_and_return,
    _planned_work,
    _moved_before_the_loss,
    _witness_and_site,
    _second_loss,
    _home_in_calm,
    _home_in_calm,
)


def _people(lots: random.Random, kind: str, site: str, at: float) -> list[Act]:
    """Somebody starts a runbook; others vote, change their minds, answer."""
    acts = [Act(at, "start", (kind, site))]
    for name in lots.sample(("ben", "cleo", "dora"), k=lots.choice((2, 2, 3))):
        acts.append(Act(at + lots.uniform(3, 60), "approve", (kind, name)))
    if lots.random() < 0.5:
        acts.append(Act(at + lots.uniform(20, 120), "withdraw", (kind, lots.choice(("ben", "cleo", "dora")))))
    for _ in range(lots.choice((0, 1, 2))):
        acts.append(Act(at + lots.uniform(20, 200), lots.choice(("retry", "pause", "resume", "retry")), (kind,)))
    if lots.random() < 0.25:
        acts.append(Act(at + lots.uniform(20, 200), lots.choice(("abort", "cancel", "terminate")), (kind,)))
    return acts


# --- what comes between ----------------------------------------------------------------------------------------------


def _between(lots: random.Random, inventory: Inventory, at: float) -> Act:
    """One thing of any kind."""
    guest = f"vm:{lots.choice(inventory.guests).vmid}"
    kinds = lots.choice(
        (
            ("kill-worker",),
            ("event",),
            ("event",),
            ("list-away",),
            ("list-short", lots.choice(("ben", "cleo"))),
            ("refuse", guest),
            ("lose-reply", guest),
            ("switch-on", guest),
            ("move", guest, lots.choice(inventory.nodes).name),
            ("retry", lots.choice(("failback", "evacuate", "return", "home", "incident"))),
            ("pause", "incident"),
            ("resume", "incident"),
            ("abort", lots.choice(("incident", "failback", "evacuate"))),
            ("terminate", lots.choice(("incident", "failback", "evacuate"))),
            ("fail", *_trouble(lots, inventory)),
            ("restore-all",),
            ("fail", "neighbour", "depot-west", "3"),
        )
    )
    return Act(at, kinds[0], tuple(kinds[1:]))


def _trouble(lots: random.Random, inventory: Inventory) -> tuple[str, ...]:
    """A fault that an evacuation, a failback or an incident has to notice."""
    node, array = lots.choice(inventory.nodes).name, lots.choice(inventory.arrays).name
    return lots.choice(
        (
            ("witness",),
            ("witness",),
            ("replication",),
            ("inter-site",),
            ("node", node),
            ("array", array),
            ("watchdog-stopped", node),
            ("mediator",),
            ("hung-api", f"pve:{node}"),
            ("site-power", lots.choice(inventory.sites).name),
        )
    )
