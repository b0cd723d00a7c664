"""Notifications on their way: what is configured, whom an event concerns, and the sending itself.

Delivery is as poor as in earnest: by the sending node alone, one target after the other, ten seconds each, no retry,
no queue; a failure is a line in that node's log (reference: proxmox-api §6).
Webhooks really send. Mail is noted as sent; smtp and gotify can be configured and fail. `http_proxy` is not used.
"""

import base64
import binascii
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from lab.physics.links import ENGINE
from lab.pve.notices.matchers import BadDirective, Event, matches
from lab.pve.notices.templates import TemplateError, render

if TYPE_CHECKING:
    from lab.pve.ha.manager import Mail
    from lab.pve.ha.state import Manager
    from lab.pve.models import Cluster

# One request may take so long, seconds of the wall: the receiver is no part of the lab (reference: proxmox-api §6).
TIMEOUT = 10.0
USER_AGENT = "proxmox-sync-http-client/0.1"
TIMED_OUT = "timeout: global"

MATCHER = "matcher"


class SendError(Exception):
    """A target could not be notified; the text holds no secret."""


@dataclass
class Entry:
    """One section of notifications.cfg; `secrets` is what lies apart, readable by root alone: name -> base64."""

    kind: str
    settings: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)


BUILT_IN = {
    "mail-to-root": Entry(
        "sendmail", {"comment": "Send mails to root@pam's email address", "mailto-user": ["root@pam"]}
    ),
    "default-matcher": Entry(
        MATCHER, {"mode": "all", "target": ["mail-to-root"], "comment": "Route all notifications to mail-to-root"}
    ),
}


@dataclass
class Notifications:
    """notifications.cfg of a cluster, and the certificates that its nodes trust beside the system's."""

    written: dict[str, Entry] = field(default_factory=dict)  # endpoints and matchers share one set of names
    authorities: list[str] = field(default_factory=list)  # PEM

    @property
    def entries(self) -> dict[str, Entry]:
        """What is written, and of the built-in ones those that nobody has changed."""
        return {**self.written, **{name: entry for name, entry in BUILT_IN.items() if name not in self.written}}

    def of_kind(self, *kinds: str) -> dict[str, Entry]:
        """The entries of these kinds."""
        return {name: entry for name, entry in self.entries.items() if entry.kind in kinds}

    def origin(self, name: str) -> str:
        """Whose an entry is."""
        if name not in BUILT_IN:
            return "user-created"
        return "builtin" if self.entries[name] == BUILT_IN[name] else "modified-builtin"


async def notify(cluster: "Cluster", node: str, event: Event) -> None:
    """Tell every target of every matcher that fits, once; errors are written to the world's log and nowhere else."""
    world, config = cluster.world, cluster.notifications
    for name in _targets(cluster, node, event):
        entry = config.entries.get(name)
        if entry is None or entry.kind == MATCHER:
            world.record(node, "notification.failed", name, title=event.title, error="it does not exist")
        elif not entry.settings.get("disable"):
            try:
                await send(cluster, node, name, event)
            except SendError as error:
                world.record(node, "notification.failed", name, title=event.title, error=str(error))


def _targets(cluster: "Cluster", node: str, event: Event) -> list[str]:
    found: dict[str, None] = {}
    for name, matcher in cluster.notifications.of_kind(MATCHER).items():
        try:
            if not matcher.settings.get("disable") and matches(matcher.settings, event):
                found |= dict.fromkeys(matcher.settings.get("target", ()))
        except BadDirective as error:
            cluster.world.record(node, "notification.failed", name, title=event.title, error=str(error))
    return list(found)


async def send(cluster: "Cluster", node: str, name: str, event: Event) -> None:
    """One event to one target, whether it is disabled or not; SendError when that fails."""
    entry = cluster.notifications.entries[name]
    if entry.kind == "webhook":
        await _webhook(cluster, node, entry, event)
    elif entry.kind != "sendmail":
        raise SendError(f"could not notify via endpoint(s): {name}: the twin sends nothing by {entry.kind}")
    cluster.world.record(node, "notification.sent", name, kind=entry.kind, title=event.title)


# --- webhooks --------------------------------------------------------------------------------------------------------


async def _webhook(cluster: "Cluster", node: str, entry: Entry, event: Event) -> None:
    secrets: dict[str, str] = {}
    try:
        secrets = {key: _decoded(value, key) for key, value in entry.secrets.items()}
        await _request(cluster, node, entry.settings, _data(event, secrets))
    except TimeoutError:
        raise SendError(TIMED_OUT) from None
    except (aiohttp.ClientError, SendError, TemplateError, OSError, ValueError) as error:
        text = str(error) or type(error).__name__
        for value in filter(None, secrets.values()):
            text = text.replace(value, "<masked>")
        raise SendError(text) from None


def _data(event: Event, secrets: dict[str, str]) -> dict[str, Any]:
    """What a template can name."""
    return {
        "title": event.title,
        "message": event.message,
        "severity": event.severity,
        "timestamp": event.timestamp,
        "fields": dict(event.fields),
        "secrets": secrets,
    }


async def _request(cluster: "Cluster", node: str, settings: dict[str, Any], data: dict[str, Any]) -> None:
    body = _rendered("body", _decoded(settings.get("body", ""), "body"), data)
    url = _rendered("url", settings["url"], data)
    headers = {"User-Agent": USER_AGENT}
    for text in settings.get("header", ()):
        header, value = pair(text)
        headers[header] = _rendered(f"header '{header}'", _decoded(value or "", header), data)
    if not cluster.world.links.reaches(node, _place(cluster, url)):
        await cluster.world.clock.sleep(TIMEOUT)
        raise SendError(TIMED_OUT)
    trust = ssl.create_default_context()
    for authority in cluster.notifications.authorities:
        trust.load_verify_locations(cadata=authority)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
        session.request(
            settings["method"],
            url,
            data=body.encode() or None,
            headers=headers,
            ssl=trust,
            skip_auto_headers=("Content-Type",),
        ) as response,
    ):
        if response.status >= 400:
            raise SendError(f"http status: {response.status}")


def _rendered(what: str, template: str, data: dict[str, Any]) -> str:
    try:
        return render(template, data)
    except TemplateError as error:
        raise SendError(f"failed to render webhook {what}: {error}") from None


def _place(cluster: "Cluster", url: str) -> str:
    """Where a URL's host stands: one of the cluster's machines, or the third place, where runbooks run."""
    world, address = cluster.world, urlsplit(url).hostname
    machines = (*world.nodes.values(), world.witness)
    return next((host.name for host in machines if host.address == address), ENGINE)


def pair(text: str) -> tuple[str, str | None]:
    """``name=token,value=c2VjcmV0`` as name and base64 value; the value may be missing. ValueError without a name."""
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    if not parts.get("name"):
        raise ValueError("name: property is missing and it is not optional")
    return parts["name"], parts.get("value")


def decodable(value: str) -> bool:
    """Whether it is base64 of a text."""
    try:
        _decoded(value, "")
    except SendError:
        return False
    return True


def _decoded(value: str, key: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise SendError(f"could not decode base64 value with key '{key}'") from None


# --- fencing ---------------------------------------------------------------------------------------------------------


def fencing_event(
    cluster: "Cluster", master: str, failed: str, before: "Manager | None", *, acknowledged: bool
) -> Event:
    """The mail about a node's fencing: that it begins, or that its lock was taken over.

    `before` is manager_status as it was last written, so states are one step old (reference: pve-ha §14).
    The title ends in a blank, which was a newline of the template.
    """
    world = cluster.world
    now = int(world.time_at(world.nodes[master]))
    states = before.nodes if before is not None else {}
    services = before.services if before is not None else {}
    title = f"Successfully fenced node '{failed}' " if acknowledged else f"Trying to fence node '{failed}' "
    status = f"Try to fence node '{failed}'"
    if acknowledged:
        status = f"fencing: acknowledged - got agent lock for node '{failed}'"
    done = "has fenced the node" if acknowledged else "is about to fence the node"
    lines = {sid: f"  - {sid} [{one.node}]: {one.state}" for sid, one in sorted(services.items())}
    mine = [lines[sid] for sid in lines if services[sid].node == failed]
    others = [lines[sid] for sid in lines if services[sid].node != failed]
    body = [
        f"Node '{failed}' of cluster '{world.inventory.name}' has failed, somebody must look after it.",
        f"The HA manager {done}.",
        "",
        f"Status:    {status}",
        f"Timestamp: {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))}",
        "",
        "Nodes of the cluster:",
        *(f"  - {node}: {state}{' [master]' if node == master else ''}" for node, state in sorted(states.items())),
        "",
        "HA resources that were on the failed node and are recovered where that is possible:",
        *mine,
        "",
        "All other HA resources:",
        *others,
    ]
    fields = {"type": "fencing", "hostname": failed}
    return Event(title, "\n".join(body) + "\n", "error", fields, now)


async def announce(cluster: "Cluster", master: str, mail: "Mail", before: "Manager | None") -> None:
    """Send one of the HA stack's mails from its master; ``Ha.announce`` is this with the cluster given."""
    await notify(cluster, master, fencing_event(cluster, master, mail.node, before, acknowledged=mail.acknowledged))
