"""What could be written down of what was seen, and the writing itself: only what a person has said yes to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.clients.secrets import Secrets
from cluster.inventory import Inventory
from cluster.trust import Location
from cluster.units import counted
from workers.cli.trust import hostkeys, pinning
from workers.cli.trust.looking import Endpoint, Host
from workers.errors import Unusable
from workers.inventory_file import load

RENEWED = (
    "note: Proxmox VE renews a node's certificate automatically, two weeks before its end. Its pin has to be written "
    "again then; api.ca stays valid: it is /etc/pve/pve-root-ca.pem of any node"
)


@dataclass(frozen=True)
class Wish:
    """One line that could be written. `changes`: something else is written there already."""

    sentence: str
    changes: bool
    pin: tuple[Location, str] | None = None
    key: hostkeys.Told | None = None

    @property
    def question(self) -> str:
        """As a person at a terminal is asked."""
        warning = "This is NOT what was known before. " if self.changes else ""
        return f"{warning}{self.sentence[0].upper()}{self.sentence[1:]}?"


def wishes(endpoints: Sequence[Endpoint], hosts: Sequence[Host]) -> Iterator[Wish]:
    """What was seen and does not fit, as lines to write."""
    for one in endpoints:
        if one.fits is False and one.certificate and one.place is not None:
            yield Wish(
                f"pin {one.trust.who} to {one.certificate.fingerprint}",
                bool(one.trust.fingerprints),
                pin=(one.place, one.certificate.fingerprint),
            )
    for host in hosts:
        if host.fits is False and host.key:
            yield Wish(
                f"know {host.who} by its host key {host.key.fingerprint}",
                bool(host.known),
                key=(host.host, host.port, host.key),
            )


def write(path: Path, known: Inventory, taken: Sequence[Wish]) -> list[str]:
    """Write them; what was written where. Unusable, with the lines to paste, where the inventory cannot be edited."""
    told: list[str] = []
    if keys := [wish.key for wish in taken if wish.key]:
        told += _write_keys(Secrets(path.parent), known, keys)
    if pins := dict(wish.pin for wish in taken if wish.pin):
        told += _write_pins(path, known, pins)
    return told


def _write_pins(path: Path, known: Inventory, pins: dict[Location, str]) -> list[str]:
    by_hand = "\n".join(["write these lines yourself:", *pinning.lines(pins)])
    if load(path) != known:  # a pin goes to a place in the file, where another machine may stand by now
        raise Unusable(f"{path} has changed since it was compared, so nothing was written to it", "ask once more")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        pinning.replace(path, pinning.pinned(text, pins))
    except pinning.NotSafely:
        raise Unusable(f"{path} is written in a way in which it cannot be edited safely", by_hand) from None
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}", by_hand) from None
    told = [f"{path}: {counted(len(pins), 'fingerprint')} written; a worker that runs has to be started again"]
    nodes = [place for place in pins if len(place) == 4 and place[2] == "nodes"]
    return [*told, RENEWED] if nodes else told


def _write_keys(secrets: Secrets, known: Inventory, keys: Sequence[hostkeys.Told]) -> list[str]:
    path = secrets.path(known.ssh.known_hosts)
    by_hand = "\n".join(["add these lines yourself:", *(key.line(host, port) for host, port, key in keys)])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = hostkeys.written(_there(path), keys)
        pinning.replace(path, text)
    except UnicodeDecodeError:
        raise Unusable(f"{path} is not UTF-8 text, so it is left as it is", by_hand) from None
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}", by_hand) from None
    left = [f"! {line} -f {path}" for line in hostkeys.left_over(text, keys)]
    return [f"{path}: {counted(len(keys), 'host key')} written", *left]


def _there(path: Path) -> str:
    """The whole of known_hosts, line ends as they are: what cannot be read must not be written over."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
