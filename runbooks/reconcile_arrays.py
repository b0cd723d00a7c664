"""Both arrays are told the same of every node again: hosts, preferred arrays, host groups, the volume's connection.

For an array that has come back without what it knew, or whose connections somebody has changed. Only while both
copies of the pod are online; nothing is taken away from an array.
"""

from typing import ClassVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.breakglass.called import Called, Hand
    from cluster.contracts import purity
    from cluster.plan import Intent, Mode
    from cluster.units import counted, shortly
    from runbooks.breaking.asked import BreakGlassReport, ReconcileRequest
    from runbooks.breaking.course import BreakGlass
    from runbooks.breaking.layers import Layers
    from workflows.catalogue import About


@workflow.defn(name="ReconcileArrays")
class ReconcileArrays(BreakGlass):
    """Judge, plan, two people, array after array, read back."""

    about = About(
        name="reconcile-arrays",
        what="Break-glass: gives each array the hosts, preferred arrays, host group and connection of the volume that "
        "it lacks, array after array, and reads them back",
        when="when an array has returned, both copies of the pod are online, and it lacks hosts or connections",
        asks="for approvals of two people (`quorate approve`)",
        landing="What was created stays; nothing is taken away from an array",
        example={"by": "ana", "why": "array back", "mode": "apply"},
        request=ReconcileRequest,
        emergency=True,
    )
    hand: ClassVar[Hand] = "reconcile-arrays"

    def __init__(self) -> None:
        super().__init__()
        self._changes: tuple[Intent, ...] = ()
        self._done: list[str] = []

    @workflow.run
    async def run(self, request: ReconcileRequest | None = None) -> BreakGlassReport:
        """Mode `plan` ends with the plan."""
        request = request or ReconcileRequest()
        async with self.opens(request, "Reconcile hosts and connections of both arrays of {cluster}") as inventory:
            found = await self.must_be_called_for(inventory)
            layers = self._layers = Layers(self, inventory)
            self.refuse_if(layers.serve_both(found))
            self.section("Plan", rehearsal=True)
            planned = self._changes = await layers.read()
            self.refuse_if("" if planned else "hosts and connections of both arrays are as in the inventory")
            self.called = Called(hand=self.hand)
            await self.require_two(
                request,
                inventory,
                f"Make {counted(len(planned), 'change')} on the arrays",
                planned,
                risk="A host that sees the volume on an array again uses its paths at once",
                differs=layers.differs,
            )
            if request.mode is Mode.APPLY:
                await self._reconcile(layers)
        return self.reported(request, planned)

    async def _reconcile(self, layers: Layers) -> None:
        self.section("Arrays are reconciled", folds=False)
        for array in dict.fromkeys(intent.where for intent in self._changes):
            agreed = [one for one in self._changes if one.where == array]
            for planning, applying in zip(layers.planning.each, layers.applying.each, strict=True):
                await self.step(
                    f"Hosts see {planning.the_volume} on {array}",
                    purity.ensure_access,
                    applying.access(array),
                    given=layers.as_agreed(purity.ensure_access, planning.access(array), agreed),
                    waiting=f"Giving {array} the hosts and connections that it lacks",
                )
            self._done.append(array)
        await self.proven(
            "The cluster is judged again",
            None,
            waiting="Asking every vantage point",
            skip="the report does not say how the cluster is now",
        )

    async def landing(self) -> str:
        """What an array has been given, it keeps."""
        return f"Reconciled: {shortly(self._done, 10)}." if self._done else "No array was touched."
