"""Whether endpoints answer, and whether Quorate recognises them: certificates and host keys. Pure.

The words are those of `quorate trust` and of the refusals themselves, so that one trouble has one name everywhere.
"""

from datetime import datetime, timedelta

from cluster.doctor.check import About, Area, Check, Unread, without_subject
from cluster.nouns import Value
from cluster.trust import Certificate, Kind, Trust, ending
from cluster.units import counted

_AREA: dict[Kind, Area] = {"node": "cluster", "array": "arrays", "controller": "controllers"}


class Shown(Value):
    """What a TLS endpoint shows: its certificate or its silence; `refusal` is why Quorate does not speak to it."""

    trust: Trust
    certificate: Certificate | None = None
    refusal: str = ""
    silence: str = ""

    @property
    def recognised(self) -> bool:
        """Quorate speaks to it."""
        return self.certificate is not None and not self.refusal


class Sshd(Value):
    """What a host's sshd shows: the fingerprint of its key, or its silence; what known_hosts has, and the login."""

    who: str
    address: str
    key: str = ""
    known: tuple[str, ...] = ()
    silence: str = ""
    login: Unread | None = None


def api(shown: Shown, now: datetime) -> Check:
    """An endpoint's TLS: it answers, and its certificate is recognised and good for a while."""
    trust = shown.trust
    about = About(area=_AREA[trust.kind], subject=trust.who, what="certificate" if shown.certificate else "reach")
    if shown.certificate is None:
        return about.wrong(
            f"{without_subject(shown.silence, trust.who)}, so nothing else of it is known",
            f"from this machine: nc -vz {trust.host} {trust.port}; if that works: quorate trust {trust.host}",
        )
    if shown.refusal:
        said, _, remedy = without_subject(shown.refusal, trust.who).partition("; ")
        return about.wrong(said, remedy)
    if soon := ending(trust, shown.certificate, now):
        said, _, remedy = without_subject(soon, trust.who).partition("; ")
        if remedy.startswith("it is pinned"):
            said, remedy = f"{said}; {remedy.partition('; ')[0]}", remedy.partition("; ")[2]
        return about.wrong(said, remedy)
    left = shown.certificate.ends - now
    return about.ok(f"{trust.by}, good for {counted(left // timedelta(days=1), 'day')}")


def host(sshd: Sshd, user: str) -> Check:
    """A host's sshd: it answers, known_hosts has its key, and it lets Quorate in."""
    about = About(area="hosts", subject=sshd.who, what="SSH")
    if sshd.silence:
        return about.wrong(
            f"{without_subject(sshd.silence, sshd.who)}, so nothing else of it is known",
            f"from this machine: ssh {user}@{sshd.address}",
        )
    if sshd.known and sshd.key not in sshd.known:
        return about.wrong(
            f"it shows the host key {sshd.key}, known_hosts has {', '.join(sshd.known)}",
            f"find out why; only then: quorate trust {sshd.who}",
        )
    if not sshd.known:
        return about.wrong(
            f"known_hosts has no key of this host, it shows {sshd.key}",
            f"compare it on the host's console, then: quorate trust {sshd.who}",
        )
    if sshd.login is not None:
        said = sshd.login.model_copy(update={"said": without_subject(sshd.login.said, sshd.who)})
        return about.unread(said, f"from this machine: ssh-copy-id with that key, as {user}")
    return about.ok(f"host key as in known_hosts, login as {user}")
