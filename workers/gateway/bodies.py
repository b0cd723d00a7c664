"""What senders send, and the events it means.

A body is read for what says where to look: who it is about, what kind of thing, and an id that is the same whenever it
is sent again. Its prose is cut to a line or left alone; nothing in it is trusted, and facts decide what happened.
Fields that are not known are ignored: a sender's next version must not be refused while a site is burning.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
)

from cluster.events import Event
from workers.gateway.fields import (
    Identifier,
    Labels,
    NotEmpty,
    Notes,
    Said,
    as_object,
    identity,
    line,
    moment,
    sensible,
)
from workers.gateway.refusals import Refused, from_validation

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
# The two announcements of a fencing begin with these words (reference: proxmox-api §6).
FENCING = {"Trying": "Trying to fence", "Successfully": "Successfully fenced"}
# The same announcement again, from another HA master say, is the same event for this long, seconds.
# A node that is fenced a second time has booted in between, which takes longer.
ANNOUNCED_AGAIN = 300
# Labels that name a machine, the most telling first; an instance is an exporter's address.
MACHINE_LABELS = ("node", "nodename", "hostname", "host", "array", "instance")
# The year 2100: what is later is no time in seconds, or no clock.
LATEST = 4_102_444_800
CE_HEADERS = ("specversion", "id", "source", "type", "subject", "time", "severity")


class Body(BaseModel):
    """Strict in what is needed: a number in quotes is no number, as the OpenAPI document says. The rest is `Said`."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class PveFields(Body):
    """The fields of a notification that say something; there are others."""

    type: Said = Field(default="", description="fencing, replication, vzdump, package-updates, system-mail")
    hostname: Said = Field(default="", description="of a fencing: the node that is fenced, not the sender")


class PveBody(Body):
    """A notification of Proxmox VE, by the body template of docs/events.md."""

    source: Literal["pve"]
    title: NotEmpty
    message: Said = ""
    severity: Said = ""
    timestamp: float = Field(ge=0, le=LATEST, description="seconds since 1970")
    fields: Annotated[PveFields, BeforeValidator(as_object, json_schema_input_type=Any)] = PveFields()

    def events(self, source: str) -> tuple[Event, ...]:
        """One event. A fencing is the same one when it is announced again within minutes."""
        kind, first = self.fields.type or "notification", self.title.strip().partition(" ")[0]
        about = (kind, self.fields.hostname)
        if kind == "fencing":
            key = identity(*about, first.lower(), str(int(self.timestamp // ANNOUNCED_AGAIN)))
        else:
            key = identity(*about, self.title, str(self.timestamp))
        return (
            Event(
                id=key,
                source=source,
                kind=line(kind),
                subject=line(self.fields.hostname),
                severity=line(self.severity),
                text=FENCING.get(first, "") if kind == "fencing" else "",
                at=datetime.fromtimestamp(self.timestamp, UTC),
            ),
        )


class Alert(Body):
    """One alert of Alertmanager. `startsAt` tells one alert from the next of the same labels."""

    fingerprint: Identifier
    status: NotEmpty
    labels: Labels = {}
    annotations: Notes = {}
    startsAt: Said = Field(default="", description="RFC 3339")  # noqa: N815  # the sender's spelling

    @property
    def began(self) -> datetime | None:
        """When, if that can be read."""
        return moment(self.startsAt)


class AlertmanagerBody(Body):
    """What Alertmanager's webhook sends, and Grafana's after its example; each counts its versions for itself."""

    alerts: tuple[Alert, ...]

    def events(self, source: str) -> tuple[Event, ...]:
        """One event an alert and state; Alertmanager's reminders of the same are duplicates."""
        return tuple(_alert(alert, source) for alert in self.alerts)


def _alert(alert: Alert, source: str) -> Event:
    said = alert.annotations.get("summary") or alert.annotations.get("description") or ""
    began = alert.began
    return Event(
        id=identity(alert.fingerprint, began.isoformat() if began else alert.startsAt, alert.status),
        source=source,
        kind=line(alert.labels.get("alertname") or "alert"),
        subject=line(next((alert.labels[name] for name in MACHINE_LABELS if alert.labels.get(name)), "")),
        severity=line(alert.labels.get("severity", "")),
        text=line(f"{alert.status}: {said}" if said else alert.status),
        at=sensible(began) if began else None,
    )


class PurityBody(Body):
    """An alert as Purity's REST tells it; who forwards it may leave out all but the id."""

    id: Identifier
    name: Said = ""
    code: Said = ""
    severity: Said = ""
    state: Said = ""
    component_name: Said = ""
    component_type: Said = ""
    summary: Said = ""
    created: Said = Field(default="", description="milliseconds since 1970")

    def events(self, source: str) -> tuple[Event, ...]:
        """One event an alert and state; a number that two arrays give is told apart by what the alert is about."""
        about = (self.component_type, self.component_name)
        facts = (self.id, self.name, self.code, *about, self.created, self.state)
        return (
            Event(
                id=identity(*facts),
                source=source,
                kind=line(f"alert {self.code}" if self.code else "alert"),
                subject=line(self.component_name),
                severity=line(self.severity),
                text=line(": ".join(part for part in (self.state, self.summary) if part)),
                at=self._told_at,
            ),
        )

    @property
    def _told_at(self) -> datetime | None:
        """When, if that can be read."""
        try:
            told = float(self.created) / 1000
        except ValueError:
            return None
        return datetime.fromtimestamp(told, UTC) if 0 <= told <= LATEST else None


class CloudEvent(Body):
    """A CloudEvent 1.0; its data is not read."""

    specversion: Literal["1.0"]
    id: str = Field(min_length=1)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1)
    subject: Said = ""
    time: Said = Field(default="", description="RFC 3339")
    severity: Said = Field(default="", description="an extension attribute, where the sender has one")

    def events(self, source: str) -> tuple[Event, ...]:
        """One event; source and id together name it."""
        return (
            Event(
                id=identity(self.source, self.id),
                source=source,
                kind=line(self.type),
                subject=line(self.subject or self.source),
                severity=line(self.severity),
                at=sensible(began) if (began := moment(self.time)) else None,
            ),
        )


class CloudEventBatch(RootModel[tuple[CloudEvent, ...]]):
    """Several CloudEvents at once."""

    def events(self, source: str) -> tuple[Event, ...]:
        """All of them, in their order."""
        return tuple(event for each in self.root for event in each.events(source))


Readable = PveBody | AlertmanagerBody | PurityBody | CloudEvent | CloudEventBatch
BODIES: dict[str, type[PveBody | AlertmanagerBody | PurityBody]] = {
    "pve": PveBody,
    "alertmanager": AlertmanagerBody,
    "purity": PurityBody,
}


def read(kind: str, source: str, headers: Mapping[str, str], body: bytes, *, signed: bool = False) -> tuple[Event, ...]:
    """The events of a request to a source of that kind; Refused names what is wrong. Header names in lower case.

    The Content-Type decides only where the sender has a choice: PVE sends none unless told to. A signature covers the
    body and no header, so that nothing is read from headers where the request is `signed`.
    """
    if kind in BODIES:
        return _parsed(BODIES[kind], body).events(source)
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == BATCHED:
        return _parsed(CloudEventBatch, body).events(source)
    if media != STRUCTURED and "ce-specversion" in headers and not signed:
        return _from_headers(headers).events(source)
    if media in (STRUCTURED, "application/json"):
        return _parsed(CloudEvent, body).events(source)
    raise Refused(
        415,
        "the Content-Type names no form of CloudEvents",
        f"send {STRUCTURED} or {BATCHED}" + ("" if signed else ", or the attributes as headers that begin with ce-"),
        field="Content-Type",
    )


def _parsed(model: type[Readable], body: bytes) -> Readable:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise from_validation(error) from None


def _from_headers(headers: Mapping[str, str]) -> CloudEvent:
    """CloudEvents in binary mode: the attributes are headers, percent-encoded, and the body is data."""
    found = {name: unquote(headers[f"ce-{name}"]) for name in CE_HEADERS if f"ce-{name}" in headers}
    try:
        return CloudEvent.model_validate_strings(found)
    except ValidationError as error:
        raise from_validation(error, prefix="ce-") from None
