"""Faults that are put into the engine on purpose, one of each kind that has been found between right parts.

Each bends one function in the process that workers are forked from. The laws have to find it.
"""

from collections.abc import Callable
from typing import Any

from activities.records.interlock import Interlock
from cluster import fencing, ledger
from cluster.gate import Gate
from cluster.memory import Memory
from workflows.steps import Steps


def stale_memory() -> None:
    """The watch keeps what its first look has found, and nobody asks how old that is."""

    def first(self: Memory, other: Memory) -> Memory:
        return self if self.looked else other

    Memory.merge = first  # type: ignore[method-assign,assignment]
    Memory._is_known = lambda self, when: True  # type: ignore[method-assign]


def lost_withdrawal() -> None:
    """An approval that is taken back is answered kindly and forgotten."""
    heard = Gate.hear

    def forgets(self: Gate, vote: Any, proof: Any) -> Any:
        refusal = heard(self, vote, proof)
        if self.outcome == "approved":
            self.withdrawn.clear()
        return refusal

    Gate.hear = forgets  # type: ignore[method-assign]


def thaw_under_an_incident() -> None:
    """Whatever is off goes back as soon as its run gives it back."""

    def always(entry: Any, book: Any, world: Any) -> str:
        return ""

    ledger.may_restore.__code__ = always.__code__  # whoever has imported it by its name as well


def false_fence() -> None:
    """A node counts as fenced as soon as HA has not got it online."""

    def at_once(wish: Any, seen: Any, view: Any) -> Any:
        if seen.state not in PRESENT:  # type: ignore[name-defined]  # noqa: F821  # names of the function that is bent
            return FencingFinding(  # type: ignore[name-defined]  # noqa: F821
                finding="its services are taken away", outcome="fenced", seen=seen
            )
        return None

    fencing.concluded.__code__ = at_once.__code__


def unchecked_condition() -> None:
    """What a step is given is asked by nobody, neither before its first attempt nor where it changes something."""
    begins = Steps._may_begin

    async def unasked(self: Steps, line: Any, given: Any) -> None:
        await begins(self, line, None)

    async def unheld(self: Interlock, client: Any, kind: str) -> None:
        """Whatever is open."""

    Steps._may_begin = unasked  # type: ignore[method-assign]
    Interlock.before_a_change = unheld  # type: ignore[method-assign]


PLANTED: dict[str, Callable[[], None]] = {
    "stale-memory": stale_memory,
    "lost-withdrawal": lost_withdrawal,
    "thaw-under-incident": thaw_under_an_incident,
    "false-fence": false_fence,
    "unchecked-condition": unchecked_condition,
}
