"""What was seen, as people read it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from activities.clients.shown import where
from cluster.trust import Certificate
from cluster.units import counted
from workers.cli.trust.looking import Endpoint, Host


def lines(endpoints: Sequence[Endpoint], hosts: Sequence[Host]) -> Iterator[str]:
    """One part for each endpoint, TLS first."""
    for one in endpoints:
        at = where(one.trust.host, one.trust.port)
        yield at if one.trust.who in (at, one.trust.host) else f"{one.trust.who} at {at}"
        if one.certificate is None:
            yield f"  ✗ {_rest(one.silence, ' does')}"
            continue
        yield from _shown(one.certificate)
        if one.place is not None:
            yield f"  ✗ {_rest(one.refusal, ': ')}" if one.refusal else f"  ✓ as the inventory says: {one.trust.by}"
        if one.ends:
            yield f"  ! {_rest(one.ends, ': ')}"
    for host in hosts:
        yield f"{host.who} at {where(host.host, host.port)}, SSH"
        yield from _key(host)


def _shown(found: Certificate) -> Iterator[str]:
    left = found.ends - datetime.now(UTC)
    days = counted(abs(left.days), "day")
    yield f"  SHA-256    {found.fingerprint}"
    yield f"  made for   {', '.join(found.names) or 'no name that is looked at'} ({found.subject})"
    yield f"  signed by  {'itself' if found.signed_itself else found.issuer}"
    yield f"  until      {found.ends:%Y-%m-%d}, {days if left > timedelta(0) else f'{days} ago'}"


def _key(host: Host) -> Iterator[str]:
    if host.key is None:
        yield f"  ✗ {_rest(host.silence, ' does')}"
        return
    yield f"  {host.key.kind}  {host.key.fingerprint}"
    if host.fits:
        yield "  ✓ as known_hosts says"
    elif host.known:
        yield f"  ✗ known_hosts has another key: {', '.join(host.known)}; find out why before you go on"
    elif host.known is not None:
        yield "  ✗ known_hosts has no key of this host"


def _rest(sentence: str, after: str) -> str:
    """Of a sentence what follows its subject, which stands above it already."""
    _, part, rest = sentence.partition(after)
    return f"{part.strip(' :')} {rest.strip()}".strip() if part else sentence
