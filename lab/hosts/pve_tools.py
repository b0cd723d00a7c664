"""`qm`, `pct`, `pvesm`, `pvesh` and what is left of `pvecm`: the API's handlers with the tools' own texts.

`qm` and `pct` work on this node's guests alone; `pvesh` forwards to other nodes, by ssh (reference: proxmox-api §9).
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from lab.hosts.corosync import COROSYNC
from lab.hosts.pve_cli import CliError, Command, ask, follow, parse, refusal, run
from lab.hosts.shell import Call, Output, Registry
from lab.pve.daemon.schema import schema
from lab.pve.errors import PveError
from lab.pve.responses.cluster import VERSION
from lab.pve.responses.nodes import KERNEL

PVE = Registry()

_GUEST = "/nodes/{node}/qemu/{vmid}"
_QM = {
    "status": Command("GET", f"{_GUEST}/status/current", ("vmid",)),
    "config": Command("GET", f"{_GUEST}/config", ("vmid",)),
    "list": Command("GET", "/nodes/{node}/qemu"),
    "set": Command("PUT", f"{_GUEST}/config", ("vmid",)),
    "start": Command("POST", f"{_GUEST}/status/start", ("vmid",)),
    "stop": Command("POST", f"{_GUEST}/status/stop", ("vmid",)),
    "shutdown": Command("POST", f"{_GUEST}/status/shutdown", ("vmid",)),
    "migrate": Command("POST", f"{_GUEST}/migrate", ("vmid", "target")),
    "clone": Command("POST", f"{_GUEST}/clone", ("vmid", "newid")),
    "destroy": Command("DELETE", _GUEST, ("vmid",)),
}
_CONTAINER = "/nodes/{node}/lxc/{vmid}"
_PCT = {
    "status": Command("GET", f"{_CONTAINER}/status/current", ("vmid",)),
    "config": Command("GET", f"{_CONTAINER}/config", ("vmid",)),
    "list": Command("GET", "/nodes/{node}/lxc"),
    "start": Command("POST", f"{_CONTAINER}/status/start", ("vmid",)),
    "stop": Command("POST", f"{_CONTAINER}/status/stop", ("vmid",)),
    "shutdown": Command("POST", f"{_CONTAINER}/status/shutdown", ("vmid",)),
    "migrate": Command("POST", f"{_CONTAINER}/migrate", ("vmid", "target")),
    "destroy": Command("DELETE", _CONTAINER, ("vmid",)),
}
_PVESM = {
    "status": Command("GET", "/nodes/{node}/storage"),
    "list": Command("GET", "/nodes/{node}/storage/{storage}/content", ("storage",)),
    "add": Command("POST", "/storage", ("type", "storage")),
    "set": Command("PUT", "/storage/{storage}", ("storage",)),
    "remove": Command("DELETE", "/storage/{storage}", ("storage",)),
}
_VERBS = {"get": "GET", "create": "POST", "set": "PUT", "delete": "DELETE"}

Show = Callable[[Call, Any], Awaitable[Output]]


# --- qm --------------------------------------------------------------------------------------------------------------


@PVE.program("qm")
async def qm(call: Call) -> Output:
    """`qm status|config|list|set|start|stop|shutdown|migrate|clone|destroy`, for guests of this node."""
    name = call.words[0] if call.words else ""
    shows: dict[str, Show] = {"status": _status, "config": _config, "list": _list, "set": _set}
    return await _tool(call, "qm", name, _QM, shows.get(name, follow), drop=("--verbose", "-verbose", "-v"))


async def _tool(
    call: Call, tool: str, name: str, commands: dict[str, Command], show: Show, *, drop: tuple[str, ...] = ()
) -> Output:
    """Run one subcommand; `drop` are words for the tool itself."""
    if name not in commands:
        return CliError(f"ERROR: unknown command '{tool} {' '.join(call.words)}'").output()
    given = {"node": call.host.name} if "{node}" in commands[name].template else {}
    command = replace(commands[name], given=given)
    words = tuple(word for word in call.words[1:] if word not in drop)
    try:
        return await show(call, await run(call, f"{tool} {name}", command, words))
    except CliError as error:
        return error.output()


async def _status(call: Call, found: dict[str, Any]) -> Output:
    if call.has("--verbose", "-verbose", "-v"):
        return Output("".join(_nested(name, found[name]) for name in sorted(found)))
    return Output(f"status: {found['status']}\n")


def _nested(name: str, value: Any, indent: str = "") -> str:
    if isinstance(value, dict):
        return f"{indent}{name}:\n" + "".join(_nested(key, value[key], f"{indent}\t") for key in sorted(value))
    return f"{indent}{name}: {value}\n"


async def _config(_: Call, found: dict[str, Any]) -> Output:
    return Output("".join(f"{name}: {found[name]}\n" for name in sorted(found) if name != "digest"))


async def _list(_: Call, found: list[dict[str, Any]]) -> Output:
    form = "{:>10} {:<20} {:<10} {:<10} {:>12} {:<10}\n"
    text = form.format("VMID", "NAME", "STATUS", "MEM(MB)", "BOOTDISK(GB)", "PID") if found else ""
    for guest in found:
        size = f"{guest['maxdisk'] / 2**30:.2f}"
        memory = guest["maxmem"] // 2**20
        text += form.format(guest["vmid"], guest["name"], guest["status"], memory, size, guest.get("pid", 0))
    return Output(text)


async def _set(call: Call, _: None) -> Output:
    """The line tells what was asked for, in the order of the options' names."""
    plain, options = parse(call.words[1:], _QM["set"].method(), "")
    asked = " ".join(f"-{name} {options[name]}" for name in sorted(options))
    return Output(f"update VM {plain[0]}: {asked}\n")


@PVE.program("pct")
async def pct(call: Call) -> Output:
    """`pct status|config|list|start|stop|shutdown|migrate|destroy`, for containers of this node."""
    name = call.words[0] if call.words else ""
    shows: dict[str, Show] = {"status": _container_status, "config": _config, "list": _containers}
    return await _tool(call, "pct", name, _PCT, shows.get(name, follow), drop=("--verbose", "-verbose", "-v"))


async def _container_status(call: Call, found: dict[str, Any]) -> Output:
    if call.has("--verbose", "-verbose", "-v"):
        shown = {name: value for name, value in found.items() if name not in ("cpu", "ha")}
        return Output("".join(f"{name}: {shown[name]}\n" for name in sorted(shown)))
    return Output(f"status: {found['status']}\n")


async def _containers(_: Call, found: list[dict[str, Any]]) -> Output:
    form = "{:<10} {:<10} {:<12} {:<20}\n"
    text = form.format("VMID", "Status", "Lock", "Name") if found else ""
    for guest in found:
        text += form.format(guest["vmid"], guest["status"], guest.get("lock", ""), guest["name"])
    return Output(text)


# --- pvesm -----------------------------------------------------------------------------------------------------------


@PVE.program("pvesm")
async def pvesm(call: Call) -> Output:
    """`pvesm status|list|add|set|remove`."""
    name = call.words[0] if call.words else ""
    shows: dict[str, Show] = {"status": _storages, "list": _volumes}
    return await _tool(call, "pvesm", name, _PVESM, shows.get(name, _nothing))


async def _nothing(_: Call, __: Any) -> Output:
    return Output()


async def _storages(_: Call, found: list[dict[str, Any]]) -> Output:
    width = max((len(one["storage"]) for one in found), default=3) + 1
    form = f"{{:<{width}}} {{:>10}} {{:>10}} {{:>15}} {{:>15}} {{:>15}} {{:>8}}\n"
    text = form.format("Name", "Type", "Status", "Total (KiB)", "Used (KiB)", "Available (KiB)", "%")
    for one in sorted(found, key=lambda one: str(one["storage"])):
        if not one["enabled"]:
            text += form.format(one["storage"], one["type"], "disabled", *["N/A"] * 4)
            continue
        sizes = [int(one[name]) // 1024 for name in ("total", "used", "avail")]
        share = f"{100 * one['used'] / one['total'] if one['total'] else 0:.2f}%"
        text += form.format(one["storage"], one["type"], "active" if one["active"] else "inactive", *sizes, share)
    return Output(text)


async def _volumes(_: Call, found: list[dict[str, Any]]) -> Output:
    width = max((len(one["volid"]) for one in found), default=5) + 1
    form = f"{{:<{width}}} {{:<7}} {{:<9}} {{:>15}} {{:<10}}\n"
    text = form.format("Volid", "Format", "Type", "Size", "VMID")
    for one in sorted(found, key=lambda one: str(one["volid"])):
        text += form.format(one["volid"], one["format"], one["content"], one["size"], one["vmid"])
    return Output(text)


# --- pvesh -----------------------------------------------------------------------------------------------------------


@PVE.program("pvesh")
async def pvesh(call: Call) -> Output:
    """`pvesh get|create|set|delete PATH [OPTIONS] --output-format json`: the value of `data` alone."""
    if len(call.words) < 2 or call.words[0] not in _VERBS:
        return CliError(f"ERROR: unknown command 'pvesh {' '.join(call.words)}'").output()
    name, path = call.words[0], "/" + call.words[1].strip("/")
    usage = f"pvesh {name} <api_path> [OPTIONS] [FORMAT_OPTIONS]"
    form, words = _format(call.words[2:])
    try:
        method, _ = schema().find(_VERBS[name], path)
    except PveError:
        return CliError(f"No '{name}' handler defined for '{path}'", 1).output()
    try:
        plain, options = parse(words, method, usage)
        if plain:
            raise CliError(f"400 too many arguments\n{usage}")
        answer = await ask(call, _VERBS[name], path, options)
        if isinstance(answer, str) and answer.startswith("UPID:"):
            done = await follow(call, answer)
            if done.status:
                return done
        return _printed(answer, form)
    except PveError as error:
        return refusal(error, usage).output()
    except CliError as error:
        return error.output()


def _format(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """How to print, and the words without that."""
    rest, form = list(words), "text"
    for index, word in enumerate(rest):
        if word in ("--output-format", "-output-format") and index + 1 < len(rest):
            form = rest[index + 1]
            return form, tuple(rest[:index] + rest[index + 2 :])
        if word.startswith("--output-format="):
            return word.partition("=")[2], tuple(rest[:index] + rest[index + 1 :])
    return form, words


def _printed(answer: Any, form: str) -> Output:
    if answer is None:
        return Output()
    if form == "json":
        return Output(json.dumps(answer, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n")
    if form == "json-pretty":
        return Output(json.dumps(answer, sort_keys=True, indent=3, separators=(",", " : "), ensure_ascii=False) + "\n")
    if isinstance(answer, dict | list):
        raise CliError("the twin draws no tables: ask with --output-format json", 1)
    return Output(f"{answer}\n")


@PVE.program("pveversion", "")
async def pveversion(_: Call) -> Output:
    """`pveversion`: one line."""
    return Output(f"pve-manager/{VERSION['version']}/{VERSION['repoid']} (running kernel: {KERNEL})\n")


# --- pvecm -----------------------------------------------------------------------------------------------------------


@PVE.program("pvecm")
async def pvecm(call: Call) -> Output:
    """`pvecm nodes`, a refusal of `pvecm expected`, and all that the corosync tools' room knows."""
    if call.words == ("nodes",):
        return await COROSYNC.programs["corosync-quorumtool"](Call(call.world, call.host, ("-l",)))
    if call.words[:1] == ("expected",):
        return CliError("the twin refuses: fewer expected votes make a lone partition quorate").output()
    return await COROSYNC.programs["pvecm"](call)
