"""Planned work is announced to the watch, and ended there: a line of the page that holds nothing up."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import watch
    from cluster.silences import NAME, SilenceWish, UnsilenceWish
    from workflows.answers import Undecodable
    from workflows.failures import reason
    from workflows.runbook import Runbook

# A watch that does not take it within this time is told of, and the run goes on.
SAID_WITHIN = timedelta(minutes=1)
PATCH = "announces-the-dark"


async def announce(run: Runbook, site: str, by: str, dark_for: timedelta) -> bool:
    """The watch opens no incident for that site, as long as it is empty; whether it has taken it.

    Runs that were begun before this was there do not say it.
    """
    if not workflow.patched(PATCH):
        return False
    line = run.record.line(f"The watch knows that {site} goes dark", f"Announcing {site} to the watch")
    wish = SilenceWish(
        where=(site,), by=by[:NAME], why=workflow.info().workflow_id[:200], until=workflow.now() + dark_for
    )
    try:
        found = line.found(await run.learn(watch.announce, wish, within=SAID_WITHIN), run.record.elapsed)
    except (ActivityError, Undecodable) as error:
        run.state.stop_if_asked()
        line.end("warned", f"{_said(error)}; an incident opens when {site} goes dark", run.record.elapsed)
        return False
    return found.mark == "done"


async def end(run: Runbook, site: str, by: str) -> None:
    """The site is back: its loss is a loss again."""
    if not workflow.patched(PATCH):
        return
    line = run.record.line(f"{site} is not announced any more", f"Ending the announcement of {site}")
    try:
        found = await run.learn(watch.unannounce, UnsilenceWish(where=(site,), by=by), within=SAID_WITHIN)
        # nothing to be ended is as it shall be
        line.end("done", found.finding, run.record.elapsed)
    except (ActivityError, Undecodable) as error:
        run.state.stop_if_asked()
        line.end("warned", f"{_said(error)}; end it: quorate silence end {site}", run.record.elapsed)


def _said(error: ActivityError | Undecodable) -> str:
    return "{}: {}".format(*reason(error)) if isinstance(error, ActivityError) else str(error)
