"""`ha-manager` on a node: the status as a person reads it, and requests that go into the CRM's queue.

Exit 0 of a crm-command means that it was queued; what the master refuses stands in its log alone.
Reference: pve-ha §§10 and 13.
"""

import json
from typing import Any

from lab.hosts.pve_cli import CliError, Command, ask, refusal, run
from lab.hosts.shell import Call, Output, Registry
from lab.pve.errors import PveError
from lab.pve.ha.commands import ARM, DISARM, MAINTENANCE, MOVES
from lab.pve.responses.guest_calls import not_in_error
from lab.pve.responses.ha import full_sid

HA = Registry()

_RESOURCE = "/cluster/ha/resources/{sid}"
_CALLS = {
    "add": Command("POST", "/cluster/ha/resources", ("sid",)),
    "set": Command("PUT", _RESOURCE, ("sid",)),
    "remove": Command("DELETE", _RESOURCE, ("sid",)),
    "migrate": Command("POST", f"{_RESOURCE}/migrate", ("sid", "node")),
    "relocate": Command("POST", f"{_RESOURCE}/relocate", ("sid", "node")),
    "rules add": Command("POST", "/cluster/ha/rules", ("type", "rule")),
    "rules set": Command("PUT", "/cluster/ha/rules/{rule}", ("type", "rule")),
    "rules remove": Command("DELETE", "/cluster/ha/rules/{rule}", ("rule",)),
}
_ARMING = {
    DISARM: Command("POST", "/cluster/ha/status/disarm-ha", ("resource-mode",)),
    ARM: Command("POST", "/cluster/ha/status/arm-ha"),
}
_NOT_SHOWN = ("digest", "sid", "type", "errors")
_LOCK = "domain-ha"


@HA.program("ha-manager")
async def ha_manager(call: Call) -> Output:
    """`ha-manager status|config|add|set|remove|migrate|relocate|rules …|crm-command …`."""
    first, second = (*call.words, "", "")[:2]
    try:
        if first == "status":
            return await _status(call)
        if first == "config":
            return await _config(call)
        if first == "crm-command":
            return await _crm_command(call, second, call.words[2:])
        if (first, second) in (("rules", "list"), ("rules", "config")):
            return await _rules(call)
        name = f"{first} {second}" if first == "rules" else first
        return await _request(call, name, call.words[len(name.split()) :])
    except PveError as error:
        return refusal(error, f"ha-manager {first} [OPTIONS]").output()
    except CliError as error:
        return error.output()


async def _status(call: Call) -> Output:
    entries = await ask(call, "GET", "/cluster/ha/status/current", {})
    text = "".join(f"{entry['type']} {entry['status']}\n" for entry in entries)
    if call.has("-v", "--verbose", "-verbose", "--verbose=1"):
        state = await ask(call, "GET", "/cluster/ha/status/manager_status", {})
        text += "full cluster state:\n"
        text += json.dumps(state, indent=3, separators=(",", " : "), sort_keys=True) + "\n"
    return Output(text)


async def _config(call: Call) -> Output:
    text = ""
    for entry in await ask(call, "GET", "/cluster/ha/resources", {}):
        lines = [f"\t{name} {entry[name]}\n" for name in sorted(entry) if name not in _NOT_SHOWN]
        text += f"{entry['sid']}\n{''.join(lines)}\n"
    return Output(text)


async def _rules(call: Call) -> Output:
    if call.option("--output-format") not in ("json", "json-pretty"):
        raise CliError("the twin prints rules only with --output-format json")
    rules = await ask(call, "GET", "/cluster/ha/rules", {})
    indent = 3 if call.option("--output-format") == "json-pretty" else None
    return Output(json.dumps(rules, indent=indent, sort_keys=True) + "\n")


async def _request(call: Call, name: str, words: tuple[str, ...]) -> Output:
    if name not in _CALLS:
        raise CliError(f"ERROR: unknown command 'ha-manager {' '.join(call.words)}'")
    answer = await run(call, f"ha-manager {name}", _CALLS[name], words)
    return _notes(name, answer) if name in MOVES else Output()


def _notes(command: str, answer: dict[str, Any]) -> Output:
    """What goes along with a service is said; what stands in its way is an error here and none in the API."""
    sid, node = answer["sid"], answer["requested-node"]
    if blocking := answer.get("blocking-resources"):
        listed = "".join(
            f"- resource '{one['sid']}' on target node '{node}' in negative affinity with resource '{sid}'\n"
            for one in blocking
        )
        raise CliError(f"cannot {command} resource '{sid}' to node '{node}':\n\n{listed}".rstrip("\n"))
    along = (
        f"also {command} resource '{one}' in positive affinity with resource '{sid}' to target node '{node}'\n"
        for one in answer.get("comigrated-resources", ())
    )
    return Output("".join(along))


async def _crm_command(call: Call, command: str, words: tuple[str, ...]) -> Output:
    if command in MOVES:
        answer = await run(call, f"ha-manager crm-command {command}", _CALLS[command], words)
        return _notes(command, answer)
    if command == "stop" and len(words) == 2 and words[1].isdigit():
        await _queue(call, "stop", _managed(call, words[0]), words[1])
    elif command == MAINTENANCE and len(words) == 2 and words[0] in ("enable", "disable"):
        if words[1] not in call.world.nodes:
            raise CliError(f"no such cluster node '{words[1]}'")
        await _queue(call, command, words[1], words[0])
    elif command in _ARMING:
        await run(call, f"ha-manager crm-command {command}", _ARMING[command], words)
    else:
        shown = " ".join(("crm-command", command, *words))
        raise CliError(f"400 wrong arguments\nha-manager {shown}".rstrip())
    return Output()


def _managed(call: Call, sid: str) -> str:
    """The service, if HA acts for it and it is not in error."""
    cluster, node = call.world.cluster, call.host.name
    sid = full_sid(cluster, sid)
    if not cluster.ha.is_managed(sid, node):
        raise CliError(f"resource '{sid}' is not HA managed")
    not_in_error(cluster.ha, node, sid)
    return sid


async def _queue(call: Call, command: str, about: str, argument: str) -> None:
    cluster = call.world.cluster
    await cluster.config_lock(call.host.name, _LOCK)
    cluster.ha.commands.append((command, about, argument))
    if command == "stop":
        cluster.ha.begins(about)
    call.world.record(call.host.name, f"ha.command.{command}", about or "ha", argument=argument)
