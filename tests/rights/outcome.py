"""How a run without a right ended, in one line."""

import re
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle

from tests.runs import parked_or_ended
from workers.cli.follow import why

Run = WorkflowHandle[Any, Any]
# Every such sentence ends with what to do.
REMEDY = re.compile(
    r"; grant (it to the token and to its user, see docs/prepare\.md|the named privilege to the token and to its user)"
)


async def ending(run: Run, within: float = 240) -> str:
    """``plans 6 changes``, ``parks: STEP: FINDING`` or ``refuses: REASON``; a parked run is ended here."""
    if stuck := await parked_or_ended(run, within):
        await run.terminate("seen")
        return f"parks: {stuck.title}: {plain(stuck.finding)}"
    try:
        report: dict[str, Any] = await run.result()
    except WorkflowFailureError as error:
        return f"refuses: {plain(why(error))}"
    vetoes = "".join(f"; {veto}" for veto in report.get("vetoes") or ())
    return f"plans {len(report['planned'])} changes{plain(vetoes)}"


def plain(text: str) -> str:
    """Without the remedy, and without what is a matter of luck."""
    return re.sub(r"pxmx02-0\d", "pxmx02-0N", REMEDY.sub("", text))
