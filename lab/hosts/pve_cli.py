"""From a command line to the API's own handlers, as PVE's tools do it: in the same process, as root@pam.

Options are read with the schema's types, refusals become texts on stderr (reference: proxmox-api §9).
A call that begins a task stays in the foreground until the task has ended.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lab.hosts.shell import Call, Output
from lab.pve.daemon.calls import Call as ApiCall
from lab.pve.daemon.calls import Page, Routes
from lab.pve.daemon.schema import Method, check, merge, schema
from lab.pve.errors import PveError
from lab.pve.etc.access import ROOT
from lab.pve.work.tasks import Task

# A powered-off neighbour in the same network: ARP gives up after about three seconds (reference: proxmox-api §7).
NO_ROUTE_DELAY = 3.0
FAILED = 255
_ENOENT = 2  # what a failed `open` leaves behind, and PVE's tools end with

_WORDS = {"1": "1", "on": "1", "yes": "1", "true": "1", "0": "0", "off": "0", "no": "0", "false": "0"}


class CliError(Exception):
    """The tool says no, in words and with an exit status."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.text, self.status = text, status

    def output(self, stdout: str = "") -> Output:
        """What the shell gets."""
        return Output(stdout, f"{self.text}\n", self.status)


@dataclass(frozen=True)
class Command:
    """One subcommand: the API call behind it, its words in order, and what is given by the host itself."""

    verb: str
    template: str
    words: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    def method(self) -> Method:
        """The schema's entry."""
        return schema().find(self.verb, self.template.replace("{", "").replace("}", ""))[0]

    def usage(self, name: str) -> str:
        """The line that follows a wrong call."""
        return " ".join([name, *(f"<{word}>" for word in self.words), "[OPTIONS]"])

    def read(self, name: str, words: tuple[str, ...]) -> dict[str, Any]:
        """The parameters of a command line."""
        found = dict(self.given)
        plain, options = parse(words, self.method(), self.usage(name))
        if len(plain) > len(self.words):
            raise CliError(f"400 too many arguments\n{self.usage(name)}")
        found |= dict(zip(self.words, plain, strict=False))
        if missing := [word for word in self.words if word not in {**found, **options}]:
            raise CliError(f"400 not enough arguments ({', '.join(missing)})\n{self.usage(name)}")
        return {**found, **options}


@cache
def table() -> Routes:
    """The API's handlers. Imported late: the API's daemon is none of a host's business."""
    from lab.pve.urls import routes

    return routes()


def parse(words: tuple[str, ...], method: Method, usage: str) -> tuple[list[str], dict[str, Any]]:
    """Plain words and options: ``--name value``, ``-name value``, ``--name=value``, booleans also without a value."""
    plain: list[str] = []
    options: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word.lstrip("-")[:1].isdigit():
            plain.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        rule = _rule(method, name)
        if rule is None:
            raise CliError(f"Unknown option: {name}\n400 unable to parse option\n{usage}")
        if rule.get("type") == "boolean":
            following = rest[0].lower() if rest and not equals else ""
            value = _WORDS.get(value.lower(), value) if equals else _WORDS.get(following, "1")
            if following in _WORDS:
                rest.pop(0)
        elif not equals:
            if not rest:
                raise CliError(f"Option {name} requires an argument\n400 unable to parse option\n{usage}")
            value = rest.pop(0)
        if rule.get("type") == "array" or (name in options and str(rule.get("format", "")).endswith("-list")):
            options.setdefault(name, [])
            options[name] = [*(options[name] if isinstance(options[name], list) else [options[name]]), value]
        else:
            options[name] = value
    return plain, options


def _rule(method: Method, name: str) -> Mapping[str, Any] | None:
    """An option's rule; ``net0`` belongs to the family ``net[n]``."""
    family = re.fullmatch(r"(.*\D)\d+", name)
    return method.parameters.get(name) or (method.parameters.get(f"{family[1]}[n]") if family else None)


async def ask(call: Call, verb: str, path: str, parameters: Mapping[str, Any]) -> Any:
    """The answer of the API's handler; PveError as the API has it. A dead node is asked over ssh, in vain."""
    method, in_path = schema().find(verb, path)
    checked = check(method, merge(in_path, parameters))
    node = call.host.name
    if method.forwarded:
        asked = str({**parameters, **in_path}.get("node", node))
        node = asked if asked != "localhost" else node
        await _reach(call, node)
    handler = table().table.get((method.verb, method.template))
    if handler is None:
        raise PveError(f"Method '{verb} {path}' not implemented (by the twin)", status=501)
    answer = await handler(ApiCall(call.world.cluster, node, ROOT, checked))
    return answer.data if isinstance(answer, Page) else answer


async def _reach(call: Call, node: str) -> None:
    host = call.world.nodes.get(node)
    if host is None:
        raise CliError(f"ssh: Could not resolve hostname {node}: Name or service not known")
    if not host.powered or not call.world.links.reaches(call.host.name, node):
        await call.world.clock.sleep(NO_ROUTE_DELAY)
        raise CliError(f"ssh: connect to host {host.address} port 22: No route to host")


async def run(call: Call, name: str, command: Command, words: tuple[str, ...]) -> Any:
    """Read a command line and ask; CliError with PVE's texts when something is wrong."""
    parameters = command.read(name, words)
    path = command.template
    for key in list(parameters):
        if f"{{{key}}}" in path:
            path = path.replace(f"{{{key}}}", str(parameters.pop(key)))
    try:
        return await ask(call, command.verb, path, parameters)
    except PveError as error:
        raise refusal(error, command.usage(name)) from None


def refusal(error: PveError, usage: str) -> CliError:
    """A handler's refusal as a tool prints it."""
    if error.errors:
        details = "".join(f"\n{name}: {text}" for name, text in sorted(error.errors.items()))
        return CliError(f"{error.status} {error.message}{details}\n{usage}")
    missing = error.message.startswith("Configuration file ") and error.message.endswith(" does not exist")
    return CliError(error.message, _ENOENT if missing else FAILED)


async def follow(call: Call, upid: str) -> Output:
    """A task in the foreground: its log without the last line, and its failure as the tool's own."""
    task: Task = next(task for task in call.world.cluster.tasks.all if task.upid == upid)
    await task.done.wait()
    lines = [line for line in task.lines if not line.startswith(("TASK OK", "TASK ERROR"))]
    stdout = "".join(f"{line}\n" for line in lines)
    if task.exitstatus == "OK":
        return Output(stdout)
    return CliError(task.exitstatus or "").output(stdout)
