"""``/cluster/notifications``: targets, matchers and the test of a target.

Unlike the rest of Proxmox VE this area says 404 and 400 where they are meant (source: proxmox-notify's API).
What is sent, and when, is in `lab.pve.notices.notify`.
"""

import hashlib
import json
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError
from lab.pve.notices.matchers import BadDirective, Event, normal
from lab.pve.notices.notify import BUILT_IN, MATCHER, Entry, SendError, decodable, pair, send

routes = Routes()

_BASE = "/cluster/notifications"
KINDS = ("gotify", "sendmail", "smtp", "webhook")
_NOT_SETTINGS = ("name", "digest", "delete")
# What is kept apart from the configuration and never told.
_SECRET = {"gotify": "token", "smtp": "password"}
_REQUIRED = {"gotify": ("server",), "smtp": ("server", "from-address"), "webhook": ("url", "method")}
_DIRECTIVES = ("match-field", "match-severity", "match-calendar")
_EVENT_TYPES = ("package-updates", "fencing", "replication", "vzdump", "system-mail")


@routes.on(f"GET {_BASE}")
async def index(_: Call) -> list[dict[str, str]]:
    """What there is below."""
    names = ("endpoints", "matchers", "targets", "matcher-fields", "matcher-field-values")
    return [{"name": name} for name in names]


@routes.on(f"GET {_BASE}/endpoints")
async def endpoints(_: Call) -> list[dict[str, str]]:
    """The kinds of targets."""
    return [{"name": kind} for kind in KINDS]


@routes.on(f"GET {_BASE}/matcher-fields")
async def fields(_: Call) -> list[dict[str, str]]:
    """The fields that events may have."""
    return [{"name": name} for name in ("type", "hostname", "job-id")]


@routes.on(f"GET {_BASE}/matcher-field-values")
async def field_values(call: Call) -> list[dict[str, str]]:
    """What these fields may hold; there are no jobs in the twin."""
    types = [{"field": "type", "value": value} for value in _EVENT_TYPES]
    return [*types, *({"field": "hostname", "value": node} for node in call.cluster.world.nodes)]


@routes.on(f"GET {_BASE}/targets")
async def targets(call: Call) -> list[dict[str, Any]]:
    """Every target of whatever kind, in short."""
    config = call.cluster.notifications
    return [
        {
            "name": name,
            "type": entry.kind,
            **{key: entry.settings[key] for key in ("comment", "disable") if key in entry.settings},
            "origin": config.origin(name),
        }
        for name, entry in config.of_kind(*KINDS).items()
    ]


@routes.on(f"POST {_BASE}/targets/{{name}}/test")
async def test(call: Call) -> None:
    """Send a trial message now; the refusal's text is the error of the sending."""
    name = call["name"]
    if name not in call.cluster.notifications.of_kind(*KINDS):
        raise PveError(f"endpoint '{name}' does not exist", status=404)
    world = call.cluster.world
    message = f"A trial message for the notification target '{name}'.\n"
    event = Event("Test notification", message, "info", {}, int(world.time_at(world.nodes[call.node])))
    try:
        await send(call.cluster, call.node, name, event)
    except SendError as error:
        raise PveError(f"Could not test target: {error}") from None


# --- the same five calls for each kind -------------------------------------------------------------------------------


def _area(kind: str) -> str:
    return f"{_BASE}/matchers" if kind == MATCHER else f"{_BASE}/endpoints/{kind}"


def _shown(call: Call, name: str) -> dict[str, Any]:
    """An entry without its secrets; of a webhook's secrets the names are told."""
    config = call.cluster.notifications
    entry = config.entries[name]
    found = {"name": name, **{key: value for key, value in entry.settings.items() if value != []}}
    if entry.kind == "webhook" and entry.secrets:
        found["secret"] = [f"name={secret}" for secret in entry.secrets]
    return found | {"origin": config.origin(name)}


def _named(call: Call, kind: str) -> Entry:
    entry = call.cluster.notifications.of_kind(kind).get(call["name"])
    if entry is None:
        what = "matcher" if kind == MATCHER else "endpoint"
        raise PveError(f"{what} '{call['name']}' not found", status=404)
    return entry


def _digest(call: Call) -> str:
    """SHA-256 of the file; the secrets lie in another one."""
    written = call.cluster.notifications.written
    text = json.dumps({name: [entry.kind, entry.settings] for name, entry in written.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _enter(kind: str) -> None:
    """Enter the calls of one kind into the table."""

    @routes.on(f"GET {_area(kind)}")
    async def listed(call: Call) -> list[dict[str, Any]]:
        return [_shown(call, name) for name in call.cluster.notifications.of_kind(kind)]

    @routes.on(f"GET {_area(kind)}/{{name}}")
    async def one(call: Call) -> dict[str, Any]:
        _named(call, kind)
        return {**_shown(call, call["name"]), "digest": _digest(call)}

    @routes.on(f"POST {_area(kind)}")
    async def create(call: Call) -> None:
        await _create(call, kind)

    @routes.on(f"PUT {_area(kind)}/{{name}}")
    async def update(call: Call) -> None:
        await _update(call, kind)

    @routes.on(f"DELETE {_area(kind)}/{{name}}")
    async def delete(call: Call) -> None:
        await _delete(call, kind)


async def _create(call: Call, kind: str) -> None:
    await _lock(call)
    config, name = call.cluster.notifications, call["name"]
    if name in config.entries:
        raise PveError(f"Cannot create '{name}', an entity with the same name already exists", status=400)
    entry = Entry(kind, {})
    _change(call, entry, call.parameters)
    _write(call, "create", name, entry)


async def _update(call: Call, kind: str) -> None:
    await _lock(call)
    if call.get("digest") not in (None, _digest(call)):
        text = "detected modified configuration - file changed by other user? Try again."
        raise PveError(text, status=400)
    before = _named(call, kind)
    entry = Entry(kind, dict(before.settings), dict(before.secrets))
    for name in call.get("delete", ()):
        if name in _REQUIRED.get(kind, ()) or name == "name":
            raise PveError(f"unknown variant '{name}'")
        entry.settings.pop(name, None)
        if name in ("secret", _SECRET.get(kind)):
            entry.secrets.clear()
    for text in call.get("header", ()):
        _check_header(text)
    _change(call, entry, call.parameters, kept=before.secrets)
    if (entry.settings, entry.secrets) != (before.settings, before.secrets):
        _write(call, "update", call["name"], entry)


async def _delete(call: Call, kind: str) -> None:
    await _lock(call)
    _named(call, kind)
    config, name = call.cluster.notifications, call["name"]
    users = [user for user, one in config.of_kind(MATCHER).items() if name in one.settings.get("target", ())]
    if users and kind != MATCHER and name not in BUILT_IN:
        raise PveError(f"cannot delete '{name}', referenced by: {', '.join(users)}", status=400)
    if config.written.pop(name, None) is not None:  # a built-in one is again as it was
        call.cluster.world.record("pve", f"notification.{kind}.delete", name)


async def _lock(call: Call) -> None:
    await call.cluster.config_lock(call.node, "file-notifications_cfg")


def _change(call: Call, entry: Entry, given: dict[str, Any], *, kept: dict[str, str] | None = None) -> None:
    """Put parameters into an entry; `kept` are the secrets that an update may name without a value."""
    apart = _SECRET.get(entry.kind)
    for key, value in given.items():
        if key in _NOT_SETTINGS:
            continue
        if key == apart:
            entry.secrets = {key: value}
        elif key == "secret":
            entry.secrets = _secrets(value, kept)
        elif key in _DIRECTIVES:
            entry.settings[key] = [_normal(key, text) for text in value]
        else:
            if key == "header":
                _pairs(value)
            if key == "target":
                _exist(call, value)
            entry.settings[key] = value


def _secrets(given: list[str], kept: dict[str, str] | None) -> dict[str, str]:
    """A webhook's secrets: those that were sent, and of the old ones those that were named."""
    found: dict[str, str] = {}
    for name, value in _pairs(given):
        if kept is not None and value is None and name not in kept:
            raise PveError(f"secret '{name}' not known", status=400)
        if kept is not None and value is not None and not decodable(value):
            raise PveError(f"secret '{name}' does not have valid base64 encoded data", status=400)
        if name in found:
            raise PveError(f"secret '{name}' defined multiple times", status=400)
        found[name] = value if value is not None else (kept or {}).get(name, "")
    return found


def _check_header(text: str) -> None:
    """An update looks into the headers; a creation does not, and its mistakes show when something is sent."""
    ((name, value),) = _pairs([text])
    if value is None:
        raise PveError(f"header '{name}' has empty value", status=400)
    if not decodable(value):
        raise PveError(f"header '{name}' does not have valid base64 encoded data", status=400)


def _pairs(texts: list[str]) -> list[tuple[str, str | None]]:
    try:
        return [pair(text) for text in texts]
    except ValueError as error:
        raise PveError(f"invalid format - format error\n{error}", status=400) from None


def _normal(directive: str, text: str) -> str:
    try:
        return normal(directive, text)
    except BadDirective as error:
        raise PveError(str(error)) from None


def _exist(call: Call, names: list[str]) -> None:
    known = call.cluster.notifications.of_kind(*KINDS)
    for name in names:
        if name not in known:
            raise PveError(f"endpoint '{name}' does not exist", status=404)


def _write(call: Call, what: str, name: str, entry: Entry) -> None:
    call.cluster.notifications.written[name] = entry
    detail = {"secrets": sorted(entry.secrets)} if entry.secrets else {}
    call.cluster.world.record("pve", f"notification.{entry.kind}.{what}", name, settings=entry.settings, **detail)


for _kind in (*KINDS, MATCHER):
    _enter(_kind)
