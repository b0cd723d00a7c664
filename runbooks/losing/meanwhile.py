"""What else happens while nodes are lost: told, explained, and on the first line while it is graver than the loss."""

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import GRAVITY, Condition, Kind
    from cluster.incidents import asked_of_people, conditions
    from cluster.units import capital
    from cluster.watching import CALM, Change
    from workflows.incident import Incident

# What goes with a loss or its end, or is said of each guest anyhow: nothing more that a person has to do.
GOES_WITH_IT: tuple[Kind, ...] = (
    *CALM, "undetermined", "resyncing", "paths-degraded", "replication-degraded", "ha-error", "ha-impaired", "blind",
)  # fmt: skip
# As grave as the loss of a site, or graver; and an array that is lost beside it is the last one.
LEADS: tuple[Kind, ...] = (*GRAVITY[: GRAVITY.index("site-isolated") + 1], "array-lost")


class Meanwhile:
    """The conditions that stand beside the loss. `ours` says which belong to it."""

    def __init__(self, run: Incident, ours: Callable[[Condition], bool]) -> None:
        self._run, self._ours = run, ours
        self.stand: dict[str, Condition] = {}

    def learn(self, change: Change, plain: str) -> str:
        """Compare with what is known: what is new is told, what is over is taken back; the headline that is true."""
        found = conditions(change.verdict)
        others = {one.key: one for one in found if not self._ours(one) and one.kind not in GOES_WITH_IT}
        for key in self.stand.keys() - others.keys():
            self._over(self.stand.pop(key), change)
        for key in others.keys() - self.stand.keys():
            self._new(others[key], plain)
        asked = asked_of_people(change.verdict, change.answers)
        for key in sorted(others, key=lambda key: -others[key].gravity):  # the gravest last, so that it stands first
            if key in asked:
                self._run.actions.ask(key, asked[key], quietly=True)
        led = [one for one in sorted(self.stand.values(), key=lambda one: one.gravity) if one.kind in LEADS]
        return f"{capital(led[0].words)} · {plain}" if led else plain

    def _over(self, condition: Condition, change: Change) -> None:
        run = self._run
        run.actions.done_with(condition.key)
        run.remarks.note_again(f"Over: {condition.words}", run.clock.says)
        run.notices.tell("changed", f"Over: {condition.words}", f"The watch now says: {change.verdict.sentence}.")

    def _new(self, condition: Condition, plain: str) -> None:
        """A section of its own, with what to do, and a notice."""
        run = self._run
        self.stand[condition.key] = condition
        why = "; ".join(condition.reasons[:2])
        text = f"{run.clock.says}: {condition.words}: {why}"
        run.remarks.note_again(capital(condition.words), f"{why} ({run.clock.says})")
        run.remarks.explain_again(capital(condition.words), (condition,), folds=False)
        run.notices.tell("worse", f"{capital(condition.words)} · {plain}", text)
