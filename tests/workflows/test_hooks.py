"""Hooks: programs and webhooks of the house around steps, with a policy for their failure and without a shell."""

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from temporalio.client import Client

from cluster.around import Hook
from cluster.plan import Mode
from tests.conftest import Deployment, working
from tests.runs import everything_written, parked, said
from tests.twin import TwinThread
from workflows.catalogue import RunbookRequest

STEP = "Quorum device votes"
Deploy = Callable[..., Awaitable[Deployment]]


@pytest.fixture
def deploying(client: Client, twin: TwinThread) -> Any:
    """Deploy the example with these hooks, on a worker that may call what is allowed."""

    @asynccontextmanager
    async def go(*hooks: Hook, allowed: tuple[str, ...]) -> AsyncIterator[Deploy]:
        inventory = twin.inventory.model_copy(update={"hooks": hooks})
        async with working(client, inventory, twin.path.parent, hooks=allowed) as start:
            yield start

    return go


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def write(body: str) -> str:
        path = tmp_path / f"hook-{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], dict[str, Any]]]]]:
    """A small web server that keeps what it was sent."""
    got: list[tuple[dict[str, str], dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), json.loads(body)))
            self.send_response(500 if self.path.endswith("/broken") else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()


async def lines(run: Deployment) -> list[str]:
    report = await run.result()
    return [f"{step.state} {step.title}: {step.finding}" for step in report.steps]


async def test_a_program_runs_before_its_step_and_nowhere_else(
    deploying: Any, script: Callable[[str], str], tmp_path: Path
):
    """It gets its arguments as they stand and the call as JSON; a plan or the rehearsal calls nothing."""
    seen = tmp_path / "seen"
    program = script(f'echo "$1" >> {seen}; cat >> {seen}; echo silenced for 2h')
    hook = Hook(name="silence", before=STEP, command=(program, "two; words && no shell"))
    async with deploying(hook, allowed=(program,)) as start:
        await (await start(RunbookRequest(mode=Mode.PLAN))).result()
        assert not seen.exists()
        found = await lines(await start())

    hooked = found.index(f"done Hook silence before {STEP}: silenced for 2h")
    assert sum("Hook silence" in line for line in found) == 1
    assert hooked < max(n for n, line in enumerate(found) if line.startswith(f"done {STEP}: 7 of 7 votes"))
    argument, document = seen.read_text().split("\n", 1)
    assert argument == "two; words && no shell"
    told = json.loads(document)
    assert (told["step"], told["when"], told["runbook"], told["cluster"]) == (STEP, "before", "deploy", "pxmx-cluster")


async def test_a_webhook_is_told_the_finding_and_its_secret_stays_secret(
    deploying: Any, receiver: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
):
    """The header's value comes from the worker's environment; the history holds the reference."""
    address, got = receiver
    monkeypatch.setenv("HOOK_TOKEN", "s3cret-of-the-hook")
    hook = Hook(
        name="tell", after="Volume group *", webhook=f"{address}told", headers={"Authorization": "env:HOOK_TOKEN"}
    )
    async with deploying(hook, allowed=(address,)) as start:
        run = await start()
        found = await lines(run)
        history = await everything_written(run)

    assert "done Hook tell after Volume group pxmx-ac-vg is seen by all nodes: HTTP 204" in found
    ((headers, document),) = got
    assert headers["Authorization"] == "s3cret-of-the-hook"
    assert document["finding"] == "pxmx-ac-vg, 10 TiB, seen by 6 nodes"
    assert "s3cret-of-the-hook" not in history
    assert "env:HOOK_TOKEN" in history


async def test_hooks_that_fail_warn_and_the_run_goes_on(deploying: Any, script: Callable[[str], str], tmp_path: Path):
    """`warn` is the default: one that fails, one that hangs and is ended with its children, one that meets no step."""
    mark = tmp_path / "child"
    failing, hanging = script("echo no such silence >&2; exit 3"), script(f"sleep 600 & echo $! > {mark}; wait")
    hooks = (
        Hook(name="silence", before=STEP, command=(failing,)),
        Hook(name="slow", before=STEP, command=(hanging,), timeout="1s"),
        Hook(name="typo", before="Quorum devise votes", command=(failing,)),
    )
    async with deploying(*hooks, allowed=(failing, hanging)) as start:
        run = await start()
        found, report = await lines(run), await run.result()

    said_back = f"warned Hook silence before {STEP}: Rejected: hook silence: {failing} ended with 3: no such silence"
    assert said_back in found
    assert f"warned Hook slow before {STEP}: Rejected: hook slow: {hanging} did not end in 1 s" in found
    assert not Path(f"/proc/{mark.read_text().strip()}").exists()
    assert report.notes == ("hook typo matched no step",)


async def test_a_hook_that_must_succeed_parks_and_can_be_skipped(deploying: Any, receiver: tuple[str, list[Any]]):
    """`park` asks a person; the core step waits."""
    address, _ = receiver
    hook = Hook(name="gate", before=STEP, webhook=f"{address}broken", on_failure="park")
    async with deploying(hook, allowed=(address,)) as start:
        run = await start()
        step = await parked(run)
        await said(run, "answer", {"answer": "skip", "step": step.title, "why": "called them by phone"})
        report = await run.result()

    assert step.title == f"Hook gate before {STEP}"
    assert step.finding == f"Rejected: {urlsplit(address).netloc} says HTTP 500"
    assert report.proof is not None
    assert report.skipped == (
        f"Hook gate before {STEP}: the step goes on without this hook (skipped: called them by phone)",
    )


async def test_what_the_worker_does_not_allow_is_refused_before_anything_else(
    deploying: Any, script: Callable[[str], str]
):
    """Whoever edits the inventory runs no program that the worker's own setting does not name."""
    program = script("true")
    async with deploying(Hook(name="sneaky", before=STEP, command=(program,)), allowed=("/bin/true",)) as start:
        run = await start()
        step = await parked(run)
        left = await said(run, "abort")

    assert step.finding == (
        f"Unauthorized: hook sneaky: {program} is not among what this worker may call; "
        "add it to the worker's QUORATE_HOOKS"
    )
    assert left.startswith("Nothing was changed.")


@pytest.mark.parametrize(
    ("fields", "said_back"),
    [
        ({"before": "a", "after": "b", "command": ["/x"]}, "either before or after a step"),
        ({"command": ["/x"]}, "either before or after a step"),
        ({"before": "a"}, "either a command or a webhook"),
        ({"before": "a", "command": ["echo", "x"]}, "begins with an absolute path"),
        ({"before": "a", "command": []}, "begins with an absolute path"),
        ({"before": "a", "webhook": "ftp://x"}, "String should match pattern"),
        ({"before": "a", "webhook": "https://x", "headers": {"A": "token"}}, "a secret must not stand here in clear"),
        ({"before": "a", "command": ["/x"], "timeout": "11m"}, "less than or equal to 10 minutes"),
        ({"before": "a", "command": ["/x"], "on_failure": "ignore"}, "Input should be 'warn' or 'park'"),
    ],
)
def test_a_hook_that_makes_no_sense_is_refused_in_the_file(fields: dict[str, Any], said_back: str):
    """The sentence says what to write instead."""
    with pytest.raises(ValidationError, match=said_back):
        Hook.model_validate({"name": "x1", **fields})
