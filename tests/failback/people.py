"""People with keys: what an approver does, without the command line."""

from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.clients import signatures
from cluster.approval import Decision, statement
from workflows.ballot import GateView

Run = WorkflowHandle[Any, Any]


class Person:
    """Somebody with a name and a key of their own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = signatures.new_key()

    @property
    def line(self) -> str:
        """Their line in the list of approvers."""
        return signatures.line(self.name, self.key)

    def signs(self, text: str) -> dict[str, str]:
        """The ballot that they send."""
        return {"text": text, "signature": signatures.signed(text, self.key)}

    def ballot(self, view: dict[str, Any], decision: Decision = "approve") -> dict[str, str]:
        """What they would send for that open gate."""
        return self.signs(statement(GateView.model_validate(view).terms, self.name, (), decision).text)

    async def says(self, run: Run, decision: Decision = "approve", waives: tuple[str, ...] = ()) -> str:
        """Look at the open gate, sign what it asks, send it."""
        view = GateView.model_validate(await run.query("gate"))
        text = statement(view.terms, self.name, waives, decision).text
        return str(await run.execute_update(decision, self.signs(text)))


def list_of(path: Path, *people: Person) -> None:
    """Write the list of approvers."""
    path.write_text("".join(f"{person.line}\n" for person in people))


async def refused(run: Run, decision: str, ballot: dict[str, Any]) -> tuple[str, str]:
    """Send a ballot that is refused: word and sentence."""
    try:
        answer = await run.execute_update(decision, ballot)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        assert isinstance(cause, ApplicationError)
        return str(cause.type), cause.message
    raise AssertionError(f"it was accepted: {answer}")
