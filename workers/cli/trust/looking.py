"""Looking at all endpoints at once: what they show, and whether the engine would speak to them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from activities.clients import shown
from activities.clients.secrets import Secrets
from activities.errors import Word
from cluster.addresses import split
from cluster.inventory import Inventory
from cluster.trust import SSH, Certificate, HostKey, Location, Trust, ending, endpoints
from workers.errors import Unusable

T = TypeVar("T")
# Where something answers at an address of which nothing else is known: arrays and controllers, Proxmox VE.
PORTS = (443, 8006)


@dataclass(frozen=True)
class Endpoint:
    """One TLS endpoint. `place` is its part of the inventory, None when that knows nothing of it.

    `refusal` is why the engine does not speak to it, `silence` why nothing was seen.
    """

    trust: Trust
    place: Location | None
    certificate: Certificate | None = None
    refusal: str = ""
    silence: str = ""

    @property
    def ends(self) -> str:
        """That its certificate has ended or will soon; empty while there is time."""
        return ending(self.trust, self.certificate, datetime.now(UTC)) if self.certificate else ""

    @property
    def fits(self) -> bool | None:
        """Whether the inventory knows what it shows; None where that cannot be said."""
        return None if self.certificate is None or self.place is None else not self.refusal


@dataclass(frozen=True)
class Host:
    """One sshd. `known` are the fingerprints that known_hosts has for it."""

    who: str
    host: str
    port: int
    known: tuple[str, ...] | None
    key: HostKey | None = None
    silence: str = ""

    @property
    def fits(self) -> bool | None:
        """Whether known_hosts knows the key; None where that cannot be said."""
        return None if self.key is None or self.known is None else self.key.fingerprint in self.known


Looked = tuple[list[Endpoint], list[Host]]
Placed = tuple[Location | None, Trust]


async def looked(known: Inventory | None, base: Path, wanted: Sequence[str]) -> Looked:
    """Everything that is wanted, by name or address; all of the inventory where nothing is named."""
    secrets = Secrets(base)
    text = known_hosts(known, secrets) if known else ""
    tls, hosts = _of(known, text, wanted)
    found = asyncio.gather(*(asyncio.to_thread(_endpoint, place, trust, secrets) for place, trust in tls))
    keys = asyncio.gather(*(_host(one, text) for one in hosts))
    return (
        [one for one in await found if one.certificate or not _only_tried(one)],
        [one for one in await keys if one.key or one.known is not None],
    )


def known_hosts(known: Inventory, secrets: Secrets) -> str:
    """The text of the inventory's known_hosts; empty where there is none."""
    try:
        return secrets.path(known.ssh.known_hosts).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _only_tried(one: Endpoint) -> bool:
    """Nobody has said at which port that address answers."""
    return one.place is None and one.trust.who == one.trust.host


def _of(known: Inventory | None, text: str, wanted: Sequence[str]) -> tuple[list[Placed], list[Host]]:
    tls: list[Placed] = list(endpoints(known)) if known else []
    hosts = _hosts(known, text) if known else []
    if not wanted:
        return tls, hosts
    chosen: list[Placed] = []
    spoken: list[Host] = []
    for word in wanted:
        mine = [(place, trust) for place, trust in tls if _means(word, trust.who, trust.host, trust.port, known, place)]
        here = [one for one in hosts if _means(word, one.who, one.host, one.port, known, None)]
        if not mine and not here:
            mine, here = _unknown(word)
        chosen += [one for one in mine if one not in chosen]
        spoken += [one for one in here if one not in spoken]
    return chosen, spoken


def _means(word: str, who: str, host: str, port: int, known: Inventory | None, place: Location | None) -> bool:
    """A name means all that belongs to it, a node's management controller among the rest; so does an address."""
    if known and place and place[-1] == "bmc":
        node = known.sites[int(place[1])].nodes[int(place[3])]
        if word == node.name:
            return True
    if word == who:
        return True
    try:
        named, at = split(word)
    except ValueError:
        return False
    return named == host and at in (None, port)


def _unknown(word: str) -> tuple[list[Placed], list[Host]]:
    try:
        host, port = split(word)
    except ValueError as error:
        raise Unusable(
            f"HOST {word!r}: {error}", "for example quorate trust 10.0.0.5, or a name of the inventory"
        ) from None
    if port is not None:
        return [(None, Trust(kind="array", who=word, host=host, port=port))], []
    return [(None, Trust(kind="array", who=host, host=host, port=one)) for one in PORTS], [Host(host, host, SSH, None)]


def _hosts(known: Inventory, text: str) -> list[Host]:
    named = [(node.name, node.address) for node in known.nodes] + (
        [(known.decider, known.device)] if known.witness else []
    )
    port = known.ssh.port
    return [Host(who, host, port, shown.known_keys(text, host, port)) for who, host in named]


def _endpoint(place: Location | None, trust: Trust, secrets: Secrets) -> Endpoint:
    seen = _said(lambda: shown.certificate(trust))
    if isinstance(seen, Word):
        return Endpoint(trust, place, silence=seen.message)
    why = _said(lambda: shown.refusal(trust, secrets)) if place is not None else None
    return Endpoint(trust, place, seen, refusal=why.message if why else "")


def _said(look: Callable[[], T]) -> T | Word:
    try:
        return look()
    except Word as word:
        return word


async def _host(one: Host, text: str) -> Host:
    try:
        key = await shown.host_key(one.who, one.host, one.port, text)
    except Word as word:
        return Host(one.who, one.host, one.port, one.known, silence=word.message)
    return Host(one.who, one.host, one.port, one.known, key)


def as_json(endpoints_: Sequence[Endpoint], hosts: Sequence[Host]) -> dict[str, Any]:
    """What was seen, for scripts."""
    return {
        "endpoints": [
            {
                "who": one.trust.who,
                "address": shown.where(one.trust.host, one.trust.port),
                "fits": one.fits,
                "by": one.trust.by if one.place is not None else None,
                "why": one.refusal or one.silence or None,
                "ending": one.ends or None,
                **(one.certificate.model_dump(mode="json") if one.certificate else {}),
            }
            for one in endpoints_
        ],
        "host_keys": [
            {
                "who": one.who,
                "address": shown.where(one.host, one.port),
                "fits": one.fits,
                "why": one.silence or None,
                "kind": one.key.kind if one.key else None,
                "fingerprint": one.key.fingerprint if one.key else None,
                "known": list(one.known or ()),
            }
            for one in hosts
        ],
    }
