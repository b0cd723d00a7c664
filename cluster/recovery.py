"""What HA's own state says of a guest's recovery, and why it is not back; what moves guests by itself. Pure."""

from collections.abc import Iterable
from typing import Literal

from cluster.approval import Approval
from cluster.nouns import Value
from cluster.plan import Finding, Intent, Wish

# A node that HA may use: it is a member, and at work or resting by a request of people.
PRESENT = ("online", "maintenance")
# A service that is not to run: somebody has asked for that.
STOPPED = ("stopped", "request_stop")


class Service(Value):
    """One HA service as the master keeps it."""

    state: str
    node: str
    running: bool = False


class HaView(Value):
    """The master's state: nodes and services."""

    master: str
    nodes: dict[str, str]
    services: dict[str, Service]


class Asking(Value):
    """Who is asked for HA's state, the first that answers is believed."""

    via: tuple[str, ...]


class HaFinding(Finding):
    """HA's own list, as it is now, and how many guests a node starts at a time."""

    view: HaView
    workers: int = 4


class Back(Value):
    """A guest that is not waited for any more: `ok` when it was seen running, with the proof or the reason."""

    sid: str
    ok: bool
    node: str = ""
    text: str = ""


Switch = Literal["resource", "options", "backup"]


class Frozen(Value):
    """Something that moves guests by itself, as it was: enough to restore it exactly."""

    kind: Switch
    name: str
    field: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name} {self.field} {self.old}"

    def becomes(self, value: str) -> Intent:
        """The change that sets it."""
        where = "HA" if self.kind == "resource" else "cluster"
        target = f"backup job {self.name}" if self.kind == "backup" else self.name
        return Intent(where=where, what="set", target=target, detail=f"{self.field} {value}", verb="set")


def on_again(off: Iterable[Frozen], on: Iterable[Frozen]) -> list[str]:
    """Of the switches that were turned off, those that are on, in a sentence each."""
    now = {(one.kind, one.name) for one in on}
    return [
        f"{one.name} {one.field} was disabled for this run and is on again: disable it, or ask who has enabled it"
        for one in off
        if (one.kind, one.name) in now
    ]


class SwitchesState(Value):
    """What a run that continues as new hands to its next part: what it has turned off, and what stays on and why."""

    cluster: str
    taken: bool
    off: tuple[Frozen, ...]
    refused: dict[str, str]
    unseen: bool = False


class SwitchesFinding(Finding):
    """What would move a guest by itself, each as it would be frozen; `unread`: kinds of it that may not be read."""

    on: tuple[Frozen, ...] = ()
    unread: tuple[str, ...] = ()


class FreezeWish(Wish):
    """What is to be turned off. It is known before: what a worker remembers alone may die with it.

    `approval` is the licence where people have signed these changes; an incident turns them off without one.
    """

    switches: tuple[Frozen, ...]
    approval: Approval | None = None


class SwitchOutcome(Value):
    """What became of one switch, and why."""

    switch: Frozen
    state: Literal["switched", "already", "planned", "refused", "gone"]
    text: str = ""

    @property
    def done(self) -> bool:
        """It is as it was to be."""
        return self.state in ("switched", "already")


class FreezeFinding(Finding):
    """Each switch with its own outcome."""

    outcomes: tuple[SwitchOutcome, ...] = ()


def hopeless(sid: str, view: HaView) -> str:
    """Why HA will not bring it back without a person; empty while it may."""
    service = view.services.get(sid)
    if service is None:
        return "is not under HA any more"
    if service.state == "error":
        return "is in error: HA gave up starting it"
    if service.state == "freeze":
        return f"is held by HA with {service.node} (state freeze) until that node is back"
    if service.state in STOPPED:
        return "is stopped by request"
    return ""


def waits_for(sid: str, view: HaView, lost: frozenset[str]) -> str:
    """Why it is not back yet, in words."""
    service = view.services.get(sid)
    if service is None:
        return "is not under HA any more"
    if service.state == "fence":
        return f"waits until HA has fenced {service.node}"
    if service.state == "recovery":
        return "HA finds no node for it: rules, maintenance or storage leave none"
    if service.node in lost:
        return f"HA still counts on {service.node}, which is {view.nodes.get(service.node, 'unknown')}"
    return f"HA starts it on {service.node}"
