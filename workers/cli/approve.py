"""`quorate approve`, `reject`, `approvals`: look at what a run asks, sign exactly that, send it."""

import asyncio
import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from activities.clients import signatures
from cluster.approval import NAMESPACE, Audit, Decision, Said, short, statement
from cluster.ballot import WHY, Ballot
from cluster.units import counted, seconds
from cluster.visible import visible
from workers.cli import steer
from workers.cli.follow import ASKED_ONCE, SILENT
from workers.cli.options import JsonOption, err, out
from workers.cli.request import named
from workers.cli.run import RunArgument, plan_lines
from workers.errors import Unusable
from workers.temporal.connect import connect
from workflows.ballot import GateView

By = Annotated[
    str,
    typer.Option(
        help="Your name on the list of approvers. Default: the user of this shell.",
        callback=named,
        show_default=False,
    ),
]
Key = Annotated[
    Path | None,
    typer.Option(help="Your private SSH key; asked for its passphrase if it has one. Default: ~/.ssh/id_ed25519."),
]
Signature = Annotated[
    Path | None,
    typer.Option(help="A signature that `ssh-keygen -Y sign -n quorate` has made over what --print prints."),
]
Waive = Annotated[list[str] | None, typer.Option(help="A comfort veto that you waive, by its name; may be repeated.")]
Print = Annotated[bool, typer.Option("--print", help="Print the text to be signed, and nothing else.")]
Why = Annotated[str | None, typer.Option(help="The reason, in a few words: signed with your no, shown on the page.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before signing.")]
RunOrNone = Annotated[str | None, typer.Argument(help="A run's id; without it all gates that are open now.")]


def approve(
    run: RunArgument,
    by: By = "",
    key: Key = None,
    signature: Signature = None,
    waive: Waive = None,
    print_text: Print = False,
    yes: Yes = False,
) -> None:
    """Approve the plan that a run asks about, signed with your SSH key.

    Shows plan, risk and vetoes, asks you, signs, and sends it.

    Your approval counts for this very plan in this very run, for the time that is shown. A hardware key: print the
    text, sign it with `ssh-keygen -Y sign -n quorate -f KEY FILE`, send it with --signature FILE.sig.

    Example: quorate approve failback/metro
    """
    _vote("approve", run, by, key, signature, tuple(waive or ()), print_text=print_text, yes=yes)


def reject(
    run: RunArgument,
    by: By = "",
    key: Key = None,
    signature: Signature = None,
    why: Why = None,
    print_text: Print = False,
    yes: Yes = False,
) -> None:
    """Reject the plan that a run asks about: it ends in its safe condition.

    After the gate has opened: withdraw your approval.

    Example: quorate reject failback/metro --why "storage work tonight"
    """
    _vote("reject", run, by, key, signature, (), why=why or "", print_text=print_text, yes=yes)


def approvals(run: RunOrNone = None, as_json: JsonOption = False) -> None:
    """List the gates that are open now; with a run, all votes on it.

    Refused votes are listed too.

    Example: quorate approvals failback/metro
    """
    if run is None:
        found = asyncio.run(_open_gates())
        if as_json:
            out.print_json(data=[view.model_dump(mode="json") for view in found])
            return
        for view in found:
            terms = view.terms
            out.print(f"[bold]{escape(terms.run)}[/bold]  {escape(terms.title)}", soft_wrap=True)
            said = f"  plan {short(terms.plan)}, {view.missing}, until {terms.until:%Y-%m-%d %H:%M} UTC"
            out.print(escape(said), soft_wrap=True)
        if not found:
            out.print("no gate is open")
        return
    lines = asyncio.run(_audit(run))
    if as_json:
        out.print_json(data=[line.model_dump(mode="json") for line in lines])
        return
    for line in lines:
        out.print(f"{'[green]✓[/green]' if line.accepted else '[red]✗[/red]'} {escape(str(line))}", soft_wrap=True)
    if not lines:
        out.print("no votes yet")


COMMANDS = (approve, reject, approvals)


def _vote(
    decision: Decision,
    run: str,
    by: str,
    key: Path | None,
    signature: Path | None,
    waives: tuple[str, ...],
    *,
    why: str = "",
    print_text: bool,
    yes: bool,
) -> None:
    async def looked() -> GateView:
        return await _gate(await connect(), run)

    view = asyncio.run(looked())
    said = statement(view.terms, by, waives, decision, why[:WHY])
    if print_text:
        sys.stdout.write(said.text)
        return
    for line in sheet(view, said):
        err.print(line, soft_wrap=True)
    if not yes and not sys.stdin.isatty():
        raise Unusable("this is no terminal, so the question cannot be asked", "read the plan, then add --yes")
    if not yes and not typer.confirm(f"{decision} this as {visible(by)}?", err=True):
        raise typer.Exit(1)
    ballot = Ballot(text=said.text, signature=_signature(said, key, signature))

    async def sent() -> str:
        return await steer.tell(await connect(), run, decision, ballot)

    out.print(escape(asyncio.run(sent())), soft_wrap=True)


async def agree(client: Client, run: str, by: str, key: signatures.Key) -> tuple[GateView, str]:
    """Say yes with that key to what the run asks now: what was asked, and what became of it."""
    view = await _gate(client, run)
    said = statement(view.terms, by)
    return view, await steer.tell(
        client, run, "approve", Ballot(text=said.text, signature=signatures.signed(said.text, key))
    )


def sheet(view: GateView, said: Said) -> list[str]:
    """What a person reads before signing, all of it; what is hidden in a text is written out."""
    terms = view.terms
    lines = [f"[bold]{_text(terms.title)}[/bold]  ({_text(terms.run)}, requested by {_text(terms.requester)})", ""]
    lines += map(visible, plan_lines(view.planned))
    lines += ["", f"{counted(len(view.planned), 'change')} in all"]
    lines += [f"under the condition that {_text(one)}" for one in terms.conditions]
    lines += [f"risk: {_text(terms.risk)}"] if terms.risk else []
    for veto in terms.vetoes:
        kind = "[red]safety veto[/red]" if veto.safety else "[yellow]comfort veto[/yellow]"
        waived = " [dim](you waive it)[/dim]" if veto.name in said.waives else ""
        lines.append(f"{kind} {_text(veto.name)}: {_text(veto.text)}{waived}")
    lines += [f"[red]no approval is taken now[/red]: {_text(view.held)}"] if view.held else []
    lines += [f"so far: {_text(', '.join(view.yes)) or 'no approvals'}; {_text(view.missing or view.outcome)}"]
    lines += ["", f"plan {short(terms.plan)}, {_life(view)}; you sign:", ""]
    return [*lines, *(f"  [dim]{_text(line)}[/dim]" for line in said.text.splitlines()), ""]


def _life(view: GateView) -> str:
    if view.ends is not None:
        return f"approved, until {view.ends:%Y-%m-%d %H:%M:%S} UTC"
    valid = f", then valid for {seconds(view.terms.valid)}" if view.terms.valid else ""
    return f"votes until {view.terms.until:%Y-%m-%d %H:%M:%S} UTC{valid}"


def _text(text: str) -> str:
    return escape(visible(text))


def _signature(said: Said, key: Path | None, signature: Path | None) -> str:
    if signature is not None:
        try:
            return signature.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable(f"--signature: {signature} cannot be read: {error}", "give the .sig file") from None
    path = key or Path("~/.ssh/id_ed25519").expanduser()
    try:
        return signatures.signed(
            said.text, signatures.private_key(path, lambda: getpass.getpass(f"passphrase of {path}: "))
        )
    except OSError as error:
        raise Unusable(f"--key: {path} cannot be read: {error.strerror}", "name your private key with --key") from None
    except ValueError as error:
        raise Unusable(
            f"--key: {path} cannot sign: {error}", f"sign with `ssh-keygen -Y sign -n {NAMESPACE}`, see --help"
        ) from None


async def _gate(client: Client, run: str) -> GateView:
    """The gate of a run; Unusable when it asks nothing, or shows another thing than it wants to be signed."""
    handle = await steer.found(client, run)
    found = await _asked(client, handle.id, "gate")
    view = GateView.model_validate(found) if found else None
    if view is None or view.outcome in ("expired", "rejected"):
        raise Unusable(f"{run} asks nothing now", "`quorate approvals` lists the gates that are open")
    why = f"it is the gate of {view.terms.run}" if view.terms.run != handle.id else view.mismatch
    if why:
        raise Unusable(
            f"nothing was signed: {why}",
            "another version of Quorate may answer for this run, or what it shows was changed: do not sign, find out",
        )
    return view


async def _open_gates() -> list[GateView]:
    client = await connect()
    views = []
    async for run in client.list_workflows("ExecutionStatus = 'Running' AND RunbookState = 'attention'", limit=100):
        found = await _asked(client, run.id, "gate")
        view = GateView.model_validate(found) if found else None
        if view is not None and view.outcome == "open":
            views.append(view)
    return views


async def _audit(run: str) -> list[Audit]:
    client = await connect()
    return [Audit.model_validate(line) for line in await _asked(client, run, "approvals")]


async def _asked(client: Client, run: str, query: str) -> Any:
    try:
        return await client.get_workflow_handle(run).query(query, rpc_timeout=ASKED_ONCE)
    except WorkflowQueryFailedError:
        raise Unusable(f"{run} asks for no approval", "`quorate approvals` lists the gates that are open") from None
    except RPCError as error:
        if error.status not in SILENT:
            raise Unusable(f"there is no run {run!r}", "`quorate status` lists the newest runs") from None
        raise Unusable(f"no worker answers for {run}", "start one with `quorate worker` or `quorate up`") from None
