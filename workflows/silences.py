"""The announcements that a watch holds: taken, ended by hand or by their time, and people told before that.

The watch's own clock alone says when one ends. Whenever they change, what stands is judged anew.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.silences import Silence, SilenceWish, UnsilenceWish, added, at, without


class Silences:
    """What stands. `judge_anew` is called when it changes, `warn` for one that ends soon."""

    def __init__(self, judge_anew: Callable[[], None], warn: Callable[[Silence], None]) -> None:
        self._judge_anew, self._warn = judge_anew, warn
        self.standing: tuple[Silence, ...] = ()

    def take_over(self, known: tuple[Silence, ...]) -> None:
        """What an earlier run of the watch held; one that was taken since then stays."""
        kept = known
        for one in self.standing:
            kept = without(kept, one.where)
        self.standing = (*kept, *self.standing)

    def add(self, wish: SilenceWish) -> str:
        """From now on; one for the same names is replaced."""
        now = workflow.now()
        self._become(added(self.standing, wish, now))
        one = self.standing[-1]
        return f"announced: {one}; nodes are covered while HA has them in maintenance and no guest runs on them"

    def end(self, wish: UnsilenceWish) -> str:
        """By hand."""
        self._become(without(self.standing, wish.where))
        return f"ended by {wish.by}: {', '.join(wish.where)} is not announced any more"

    async def keep(self) -> None:
        """End each when its time is over, and tell people before that; for ever."""
        while True:
            await workflow.wait_condition(lambda: bool(self.standing))
            known, due = self.standing, min(map(_next, self.standing))
            rest = due - workflow.now()
            if rest > timedelta():
                try:
                    await workflow.wait_condition(lambda: self.standing is not known, timeout=rest)  # noqa: B023
                except TimeoutError:
                    pass
                else:
                    continue
            self._go_by(workflow.now())

    def _go_by(self, now: datetime) -> None:
        """What is over goes; who was not told yet that the end is near is told."""
        standing = tuple(one for one in self.standing if one.until > now)
        near = [one for one in standing if not one.told and one.near_its_end <= now]
        for one in near:
            self._warn(one)
        over = len(standing) < len(self.standing)
        self.standing = tuple(one.model_copy(update={"told": one.told or one in near}) for one in standing)
        if over:
            self._judge_anew()

    def _become(self, standing: tuple[Silence, ...]) -> None:
        self.standing = standing
        self._judge_anew()


def _next(one: Silence) -> datetime:
    return one.until if one.told else one.near_its_end


def ends_soon(one: Silence) -> tuple[str, str]:
    """Title and text of the notice."""
    where = " ".join(one.where)
    return (
        f"The announcement for {one.places} ends at {at(one.until)}",
        f"{one.places} is still dark, as {one.by} announced ({one.why}). An incident opens at {at(one.until)} for what "
        f"is not back then. If the work takes longer: quorate silence {where} --by NAME --why REASON --for 4h",
    )
