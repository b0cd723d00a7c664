"""A runbook that fails in the way it is asked to: for tests of how runs end."""

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import Refuted, Unreachable
    from activities.serving import serves
    from cluster.contracts.reference import Activity
    from cluster.plan import Finding, Intent, Mode, Wish
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.runbook import Runbook

CHANGE = Intent(where="HA", what="set", target="vm:300", detail="failback 0")


class StumblingRequest(RunbookRequest):
    """How it fails after its first change, and whether its landing fails as well."""

    cluster: str
    how: str
    lands: bool = True


class Change(Wish):
    """A change that is made by nobody."""


class Counted(Finding):
    """What a later build answers with."""

    count: int


CHANGE_IT = Activity("tries.change", Change, Finding)
OTHER_SHAPE = Activity("tries.other_shape", Change, Counted)
AGAIN = Activity("tries.again", Change, Finding)
REFUTED = Activity("tries.refuted", Change, Finding)


class Tries:
    """Activities of these tests: what was tried, and with what each attempt was handed."""

    def __init__(self) -> None:
        self.handed: list[tuple[int, object]] = []
        self.open_again = 2

    @serves(CHANGE_IT)
    async def change(self, wish: Change) -> Finding:
        """A change that is made."""
        return Finding(finding="changed", changed=True, changes=(CHANGE,))

    @serves(OTHER_SHAPE)
    async def other_shape(self, wish: Change) -> Counted:
        """An answer that an older build sends: it has no count."""
        self.handed.append((wish.earlier.attempts, wish.earlier.told))
        if len(self.handed) < self.open_again:
            return Finding(finding="counted")  # type: ignore[return-value]
        return Counted(finding="counted", count=1)

    @serves(AGAIN)
    async def again(self, wish: Change) -> Finding:
        """Not at once: the answer of the first two attempts is lost, after they have said how far they came."""
        self.handed.append((wish.earlier.attempts, wish.earlier.told))
        activity.heartbeat(f"sent {len(self.handed)}")
        if len(self.handed) <= self.open_again:
            raise Unreachable("no answer")
        return Finding(finding="done")

    @serves(REFUTED)
    async def refuted(self, wish: Change) -> Finding:
        """It is not so."""
        raise Refuted("it is not so")


@workflow.defn(name="Stumbling")
class Stumbling(Runbook):
    """One change, then whatever is asked for."""

    about = About(
        name="stumbling",
        what="stumbles",
        when="when tested",
        asks="nothing",
        landing="It is said",
        example={"mode": "apply"},
        request=StumblingRequest,
    )

    def __init__(self) -> None:
        super().__init__()
        self._lands = True
        self._why = ""

    @workflow.signal
    def because(self, why: str) -> None:
        """From now on the step may not be begun, for this reason; none lets it go on."""
        self._why = why

    @workflow.run
    async def run(self, request: StumblingRequest) -> RunbookReport:
        """The change, the stumble."""
        self._lands = request.lands
        async with self.conclusion():
            await self.begin("Stumbling", request.cluster)
            await self.step("It is changed", CHANGE_IT, Change(mode=Mode.APPLY))
            await self._stumble(request.how)
        return self.report(RunbookReport, mode=Mode.APPLY, planned=())

    async def _stumble(self, how: str) -> None:
        if how == "our model":
            Counted.model_validate({"finding": "no count"})
        elif how == "final":
            await self.step("It is so", REFUTED, Change(mode=Mode.PLAN), parks=False)
        elif how == "other shape":
            await self.step("It is counted", OTHER_SHAPE, Change(mode=Mode.APPLY))
        elif how == "again":
            await self.step("It is done", AGAIN, Change(mode=Mode.APPLY), given=self._given)
        else:
            await workflow.wait_condition(lambda: False)

    async def _given(self) -> str:
        return self._why

    async def landing(self) -> str:
        """Whatever came."""
        if not self._lands:
            await self.step("It is so", REFUTED, Change(mode=Mode.PLAN))
        return "One switch is off: vm:300 failback."

    @property
    def unlanded(self) -> str:
        """What it knows without a look."""
        return "Still off: vm:300 failback."
