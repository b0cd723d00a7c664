"""Guests go home: when the returned site has proven itself, when people have agreed, one guest first.

Nothing moves before the quarantine has held for its soak time and enough people have signed this very plan. Every
precondition is read again before each move; what has changed meanwhile stops the moving and asks anew.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.plan import Mode
    from runbooks.homecoming import FailbackReport, FailbackRequest
    from runbooks.homeward import Homeward
    from workflows.catalogue import About


@workflow.defn(name="Failback")
class Failback(Homeward):
    """Quarantine, plan, vetoes, gate, one guest, the others, switches back."""

    about = About(
        name="failback",
        what="Waits until a returned site has proven itself and approvers have signed the plan, brings one guest home, "
        "then the others, proves each move, re-enables what the incident disabled",
        when="after a site has returned from an incident and its guests shall go home",
        asks="for signed approvals of the plan (`quorate approve`), and what to do when a move does not go as planned",
        landing="Guests that are at home stay there, the others stay where they are; what was disabled is re-enabled "
        "where that moves no guest, else listed",
        example={"site": "site-a", "by": "ana", "mode": "apply"},
        request=FailbackRequest,
    )

    after = ("SiteLoss",)

    @workflow.run
    async def run(self, request: FailbackRequest | None = None) -> FailbackReport:
        """Mode `plan` lists quarantine and plan, and ends there."""
        request = request or FailbackRequest()  # refused with an example
        async with self.opens(request, "Guests go home to {site}") as inventory:
            way = await self.way_home(request, inventory)
            if request.mode is Mode.PLAN:
                await way.rehearse(request)
            while request.mode is Mode.APPLY and not way.at_home:
                await way.hold_quarantine()
                if (await way.plan_moves(request)).empty:
                    break
                await way.require_approval()
                if await way.stopped():
                    continue
                await way.disable_automatic_moves()
                await way.move_guests()
            if request.mode is Mode.APPLY:
                await way.restore_automatic_moves()
        return way.report(request)
