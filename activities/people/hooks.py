"""Hooks: programs and webhooks of the house, around the steps of a runbook.

A hook runs only when the worker's own allow-list names its program or address. A program gets its arguments as they
stand in the inventory, never a shell, and the call as JSON on its standard input. A call may be made twice when a
worker dies: its `key` is the same then.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from activities.clients.webhook import post, where
from activities.errors import Rejected, Unauthorized, Unreachable
from activities.serving import serves
from cluster.around import Hook
from cluster.contracts import people
from cluster.hooks import HookCall, HookFinding, HooksCheck
from cluster.plan import Finding

if TYPE_CHECKING:
    from activities.clients.secrets import Secrets
from cluster.units import counted

SHOWN = 200
# What a program sees of the worker's environment: no token or key that was meant for the worker alone.
PASSED_ON = ("PATH", "HOME", "LANG", "TZ")


class Hooks:
    """Activities that call hooks. `allowed`: paths of programs, and beginnings of addresses that end with a slash."""

    def __init__(self, allowed: Sequence[str], secrets: "Secrets") -> None:
        self._allowed, self._secrets = allowed, secrets

    @serves(people.check_hooks)
    async def check(self, wish: HooksCheck) -> Finding:
        """Every hook may be called, its program is there, its secrets are known. Calls nothing."""
        for hook in wish.hooks:
            self._must_be_allowed(hook)
            self._headers(hook)
            if hook.command and not os.access(hook.command[0], os.X_OK):
                raise Rejected(f"hook {hook.name}: {hook.command[0]} is no program that this worker can run")
        return Finding(finding=f"{counted(len(wish.hooks), 'hook')}: {', '.join(hook.name for hook in wish.hooks)}")

    @serves(people.call_hook)
    async def call(self, call: HookCall) -> HookFinding:
        """Run the program or send the document, once; a refusal is final: the hook's policy says what follows."""
        self._must_be_allowed(call.hook)
        if call.hook.command:
            return HookFinding(finding=await _run(call, call.hook.command))
        url, seconds = self._secrets.address(str(call.hook.webhook)), call.hook.timeout.total_seconds()
        document = call.model_dump(mode="json", exclude={"hook", "mode", "earlier"})
        try:
            status = await asyncio.to_thread(post, url, document, self._headers(call.hook), seconds)
        except Unreachable as error:
            raise Rejected(f"hook {call.hook.name}: {error.message}") from None
        return HookFinding(finding=f"HTTP {status}")

    def _must_be_allowed(self, hook: Hook) -> None:
        address = ""
        if hook.command:
            allowed = any(Path(hook.command[0]).resolve() == Path(entry).resolve() for entry in self._allowed)
        else:
            address = self._secrets.address(str(hook.webhook))
            allowed = any(
                address == entry or (entry.endswith("/") and address.startswith(entry)) for entry in self._allowed
            )
        if not allowed:
            what = hook.command[0] if hook.command else where(address)
            raise Unauthorized(
                f"hook {hook.name}: {what} is not among what this worker may call; add it to the worker's QUORATE_HOOKS"
            )

    def _headers(self, hook: Hook) -> dict[str, str]:
        return {name: self._secrets.outgoing(reference) for name, reference in hook.headers.items()}


async def _run(call: HookCall, command: Sequence[str]) -> str:
    """The last line it said. It is ended, with all that it started, when its time is over or the step is stopped."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    program = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "QUORATE_CALL": call.key},
        start_new_session=True,
    )
    told = call.model_dump_json(exclude={"hook", "mode", "earlier"}).encode()
    try:
        said, complained = await asyncio.wait_for(program.communicate(told), call.hook.timeout.total_seconds())
    except TimeoutError:
        limit = call.hook.timeout.total_seconds()
        raise Rejected(f"hook {call.hook.name}: {command[0]} did not end in {limit:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
    if program.returncode:
        words = _last_line(complained) or _last_line(said) or "without any output"
        raise Rejected(f"hook {call.hook.name}: {command[0]} ended with {program.returncode}: {words}")
    return _last_line(said) or "done"


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:SHOWN] if lines else ""
