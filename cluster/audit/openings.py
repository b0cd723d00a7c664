"""The incidents that a watch has opened: by the verdict that stood, and told what that verdict says of them. Pure."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from cluster.audit.explained import Explained, called, part
from cluster.audit.line import Line
from cluster.contracts import watch
from cluster.incidents import FOLDER, Wanted, told_to, wanted
from cluster.verdict import Verdict
from cluster.watching import Open, isolated

_LOOKS = (watch.look.name, watch.look.formerly)
_REACH = (watch.reach.name, watch.reach.formerly)
_STOCK = (watch.open_incidents.name, watch.open_incidents.formerly)


class Openings:
    """The incidents of one watch, through all its executions."""

    def __init__(self) -> None:
        self._verdict: Verdict | None = None
        self._line = 0
        self._site_of: dict[str, str] = {}

    def explained(self, line: Line) -> Iterator[Explained]:
        """What was opened with that line; the lines have to come in order."""
        told = part(line, "evidence")
        try:
            if called(line, *_LOOKS) and told.get("new") is not False:
                self._verdict, self._line = Verdict.model_validate(told.get("verdict")), line.n
            elif called(line, *_REACH) and told.get("nodes") and self._verdict is not None:
                self._verdict = isolated(self._verdict, tuple(told["nodes"]))
            elif called(line, *_STOCK):
                self._site_of = dict(told.get("site_of") or {})
        except (ValidationError, IndexError):
            self._verdict = None
        if line.kind == "run" and line.data.get("runbook") in FOLDER and part(line, "input").get("opening"):
            yield self._opened(line)

    def _opened(self, line: Line) -> Explained:
        asked = part(line, "input")
        where = (asked["site"],) if asked.get("site") else tuple(asked.get("nodes") or ())
        runbook, run = line.data["runbook"], str(line.data.get("run", ""))
        said: dict[str, Any] = {"n": line.n, "at": line.at, "kind": "incident", "what": f"{runbook} {run} opened"}
        if self._verdict is None:
            return Explained(**said, found="unknown", should="the verdict that it was opened for is not on record")
        try:
            told = Verdict.model_validate(asked["opening"].get("verdict"))
        except ValidationError as error:
            return Explained(**said, found="unknown", should=f"its opening cannot be read: {error.errors()[0]['msg']}")
        said |= {"seen": (f"the verdict of line {self._line}: {self._verdict.sentence}",), "because": (told.sentence,)}
        asked_for = wanted(self._verdict, (), self._site_of)
        if Wanted(kind=runbook, where=where) not in asked_for:
            others = ", ".join(" ".join((one.kind, *one.where)) for one in asked_for) or "nothing"
            return Explained(**said, found="wrong", should=f"the verdict asks for: {others}")
        should = told_to(Open(run=run, key="", kind=runbook, where=where), self._verdict)
        if should != told:
            return Explained(**said, found="wrong", should=f"it should have been told: {should.sentence}")
        return Explained(**said, found="right")
