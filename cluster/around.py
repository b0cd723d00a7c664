"""What stands around the cluster: events that come in, notices that go out, hooks, and how closely it is watched."""

from datetime import timedelta
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from cluster.addresses import Endpoint
from cluster.nouns import Noun, OwnName, SecretRef
from cluster.units import Duration

# An address, or where it is kept: whoever knows the address of a chat's webhook may write there.
Web = r"^(https?://[^\s/]+|env:[A-Za-z_][A-Za-z0-9_]*$|file:.+)"


class Hook(Noun):
    """Something of the house's own around a step: a program, or a webhook that gets a JSON document.

    `webhook` is an address or a reference to one (``env:NAME``, ``file:PATH``): it is then in no history and no error.

    `before` or `after` is the title of the step; ``*`` stands for anything. What may be run or called at all is the
    worker's setting (QUORATE_HOOKS), so that nobody runs a program by changing this file. There is no shell.
    """

    name: OwnName
    runbook: str | None = None  # every runbook when not given
    before: str | None = None
    after: str | None = None
    command: tuple[str, ...] | None = None
    webhook: str | None = Field(default=None, pattern=Web)
    headers: dict[str, SecretRef] = Field(default_factory=dict)
    timeout: Duration = Field(default=timedelta(seconds=30), gt=timedelta(), le=timedelta(minutes=10))
    on_failure: Literal["warn", "park"] = "warn"

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.before is None) == (self.after is None):
            raise ValueError("a hook runs either before or after a step: give one of the two")
        if (self.command is None) == (self.webhook is None):
            raise ValueError("a hook is either a command or a webhook: give one of the two")
        if self.command is not None and not (self.command and self.command[0].startswith("/")):
            raise ValueError('a command is a list that begins with an absolute path: ["/usr/local/bin/silence", "2h"]')
        return self


class EventSource(Noun):
    """Who may send events to the gateway: ``POST /events/NAME``.

    `bearer`: the secret stands in the header ``Authorization: Bearer …``. `hmac`: the body is signed with it.
    """

    name: OwnName
    kind: Literal["pve", "alertmanager", "purity", "cloudevents"]
    auth: Literal["bearer", "hmac"] = "bearer"
    secret: SecretRef


# `asked`: a person has to act or to decide; `worse`: something that was well, or was back, is not any more. `begun` and
# `done` are of planned work, `expired` and `refused` of its gate, `failed` of any run.
Occasion = Literal[
    "opened", "quorum", "fenced", "running", "late", "changed", "asked", "worse", "closed",
    "begun", "done", "expired", "refused", "failed",
]  # fmt: skip
Kind = Literal["json", "pagerduty", "opsgenie", "slack", "teams", "matrix", "mail"]
# These have one address for everybody, Opsgenie another one in Europe; the others give each receiver one of its own.
ADDRESSES: dict[Kind, str] = {
    "pagerduty": "https://events.pagerduty.com/v2/enqueue",
    "opsgenie": "https://api.opsgenie.com/v2/alerts",
}
# What each kind needs besides, and no other kind has.
NEEDS: dict[str, tuple[tuple[Kind, ...], str]] = {
    "mail": (("mail",), "mail: {server, sender, to}"),
    "routing_key": (("pagerduty",), "a routing_key, env:NAME or file:PATH"),
    "token": (("opsgenie", "matrix"), "a token, env:NAME or file:PATH"),
    "room": (("matrix",), 'a room, "!ID:SERVER"'),
}


class Mail(Noun):
    """A mail server that takes mail from this worker, ``host`` or ``host:port``, and who gets it.

    TLS is used from the first byte at port 465, and by STARTTLS at any other one; `tls: false` is for a relay on the
    worker's own machine. `password` goes with `user`.
    """

    server: Endpoint
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    to: tuple[Annotated[str, Field(pattern=r"^[^@\s,<>]+@[^@\s,<>]+$")], ...] = Field(min_length=1)
    user: str | None = None
    password: SecretRef | None = None
    tls: bool = True


class Notify(Noun):
    """Who is told what happens and what is asked of people: a webhook, or people by mail.

    `kind` says in which form: ``json`` is our own document, or the `template`; ``pagerduty`` (with `routing_key`),
    ``opsgenie`` (with the `token` of an integration), ``slack`` and ``teams`` are those of the services; ``matrix`` has
    the homeserver as its webhook, the `token` of a user there and the `room`; ``mail`` has `mail` instead of a webhook.

    `webhook` is an address or a reference to one (``env:NAME``, ``file:PATH``): it is then in no history and no error.

    With `escalates` it gets besides its `occasions` what nobody has answered: the last reminder before a gate closes.

    In a template ``{title}``, ``{text}``, ``{body}``, ``{cluster}``, ``{occasion}``, ``{severity}``, ``{urgency}``,
    ``{incident}`` and ``{at}`` stand for their values, escaped as inside a JSON string.
    """

    name: OwnName
    kind: Kind = "json"
    webhook: str = Field(default="", pattern=rf"{Web}|^$")
    routing_key: SecretRef | None = None
    token: SecretRef | None = None
    room: str | None = Field(default=None, pattern=r"^[!#][^\s/]+$", max_length=255)
    mail: Mail | None = None
    headers: dict[str, SecretRef] = Field(default_factory=dict)
    occasions: tuple[Occasion, ...] = get_args(Occasion)
    escalates: bool = False
    template: str | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        for name, (kinds, what) in NEEDS.items():
            if (self.kind in kinds) != (getattr(self, name) is not None):
                has = "has" if len(kinds) == 1 else "have"
                raise ValueError(f"kind {' and '.join(kinds)} {has} {what}, and no other kind has")
        if self.kind != "mail" and not self.address:
            raise ValueError(f"kind {self.kind} needs a webhook: an address, env:NAME or file:PATH")
        if self.kind == "mail" and self.webhook:
            raise ValueError("kind mail has no webhook")
        if self.template is not None and self.kind != "json":
            raise ValueError("a template is for kind json: every other kind has a form of its own")
        return self

    def wants(self, occasion: Occasion, *, escalated: bool = False) -> bool:
        """It is told of that."""
        return occasion in self.occasions or (escalated and self.escalates)

    @property
    def address(self) -> str:
        """Where it is posted to."""
        return self.webhook or ADDRESSES.get(self.kind, "")


class Watch(Noun):
    """How closely the cluster is watched. `observe`: verdicts and pages only, nothing is ever changed."""

    policy: Literal["act", "observe"] = "act"
    # One node of each site and half of corosync's detection time: a loss is noticed while the votes still settle.
    quick: Duration = Field(default=timedelta(seconds=4), gt=timedelta())
    # Everything else while all is well; arrays and the witness tell nothing that is more urgent.
    full: Duration = Field(default=timedelta(seconds=20), gt=timedelta())
    # Everything, as soon as anything is odd.
    alert: Duration = Field(default=timedelta(seconds=1), gt=timedelta())
    # What is not a site's loss has to last before somebody is woken: a restarted daemon is back within 15 s.
    patience: Duration = timedelta(seconds=30)
    # An address that is called once a minute while the cluster is looked at: a service elsewhere tells people when the
    # calls stay away, which nothing here could do any more.
    deadman: str | None = Field(default=None, pattern=Web)
    # Sites at which workers stand too, each with the queue ``<task queue>@<site>``.
    workers_at: tuple[OwnName, ...] = ()
