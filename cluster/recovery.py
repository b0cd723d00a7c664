"""What HA's own state says of fencing and recovery, and why a guest is not back. Pure.

Fenced means that the master has got the dead node's agent lock: it then takes the node's services away, and that is
what shows in its state. A node without services is never fenced.
"""

from typing import Literal

from pydantic import Field

from cluster.approval import Approval
from cluster.nouns import Value
from cluster.plan import Finding, Intent, Wish


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


class FencingWish(Value):
    """A lost node, and the HA services that ran there."""

    node: str
    services: tuple[str, ...]
    survivors: tuple[str, ...]


class FencingFinding(Finding):
    """How a lost node was fenced; `needed` is false where HA has nothing to take away."""

    node: str
    needed: bool = True
    fence_seen: bool = False


class RecoveryWish(Value):
    """Guests that HA shall bring back on `survivors`; `pending` are those that are not back yet.

    `limit`: seconds after which the looking ends even if nobody came back.
    """

    pending: tuple[str, ...]
    survivors: tuple[str, ...]
    vg: str
    limit: float


class Back(Value):
    """A guest that is not waited for any more: `ok` when it was seen running, with the proof or the reason."""

    sid: str
    ok: bool
    node: str = ""
    text: str = ""


class RecoveryFinding(Finding):
    """Who came back, or will not, since the last look; `waiting` says why the others are not back."""

    decided: tuple[Back, ...] = ()
    waiting: dict[str, str] = Field(default_factory=dict)


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
        return Intent(where=where, what="set", target=target, detail=f"{self.field} {value}")


class SwitchesFinding(Finding):
    """What would move a guest by itself, each as it would be frozen."""

    on: tuple[Frozen, ...] = ()


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


def acknowledged(wish: FencingWish, view: HaView) -> bool:
    """The master has the node's lock: each of its services is in recovery, or somewhere else, or beyond recovery."""
    return all(_taken(wish.node, view.services.get(sid)) for sid in wish.services)


def _taken(node: str, service: Service | None) -> bool:
    if service is None:  # no longer under HA: somebody's decision
        return True
    return service.node != node or service.state in ("recovery", "error", "stopped")


def hopeless(sid: str, view: HaView) -> str:
    """Why HA will not bring it back without a person; empty while it may."""
    service = view.services.get(sid)
    if service is None:
        return "is not under HA any more"
    if service.state == "error":
        return "is in error: HA gave up starting it; mend the cause, then set it to disabled and to started again"
    if service.state == "freeze":
        return f"is frozen with {service.node}: HA will not move it until that node is back"
    if service.state in ("stopped", "request_stop"):
        return "is stopped by request"
    return ""


def waits_for(sid: str, view: HaView, lost: frozenset[str]) -> str:
    """Why it is not back yet, in words."""
    service = view.services.get(sid)
    if service is None:
        return "is not under HA any more"
    if service.state == "fence":
        return f"waits until {service.node} is fenced"
    if service.state == "recovery":
        return "HA finds no node for it: rules, maintenance or storage leave none"
    if service.node in lost:
        return f"HA still counts on {service.node}, which is {view.nodes.get(service.node, 'unknown')}"
    return f"HA starts it on {service.node}"
