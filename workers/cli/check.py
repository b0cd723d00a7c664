"""`quorate check`: what an inventory says, and whether what it refers to is there.

A run that waits for days must not find out at its end that a file was missing. References are resolved on this
machine; a worker that stands on another one has its own files, and `--offline` leaves them to it.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from activities.clients import signatures
from activities.clients.secrets import Secrets
from cluster.addresses import is_loopback
from cluster.inventory import Inventory
from cluster.places import Location, Problem
from cluster.signers import too_few
from workers.inventory_file import Complaint, load, located

if TYPE_CHECKING:
    from workers.cli.trust.looking import Host

_REFERENCE = re.compile(r"(env|file):(.+)")
_FILES = ("ca", "known_hosts")
_ELSEWHERE = "does not exist here; a worker elsewhere may have it: --offline to skip"


@dataclass(frozen=True)
class Checked:
    """The inventory, what is wrong with what it refers to, and what is only worth knowing."""

    inventory: Inventory
    complaints: list[Complaint]
    notes: list[str]


def checked(path: Path, *, offline: bool) -> Checked:
    """Check the file and, unless `offline`, all that it refers to. InventoryError when the file itself is wrong."""
    inventory = load(path)
    if offline:
        return Checked(inventory, [], [])
    complaints, notes = _referred(inventory, path)
    return Checked(inventory, complaints, notes)


def reached(inventory: Inventory, path: Path) -> Checked:
    """Whether each endpoint is recognised: certificates and host keys that are not are wrong, silence is told.

    The judgement is that of `quorate trust` and of the doctor.
    """
    from workers.cli.trust.looking import looked

    endpoints, hosts = asyncio.run(looked(inventory, path.parent, []))
    wrong = [(one.place, one.refusal) for one in endpoints if one.refusal and one.place is not None]
    wrong += [(("ssh", "known_hosts"), _unknown(one)) for one in hosts if one.fits is False]
    notes = [one.silence or one.ends for one in endpoints if one.silence or (one.ends and not one.refusal)]
    notes += [one.silence for one in hosts if one.silence]
    return Checked(inventory, located(path, wrong), notes)


def _unknown(host: "Host") -> str:
    key = host.key.fingerprint if host.key else ""
    has = f"has another key of {host.who}" if host.known else f"has no key of {host.who}"
    return f"{has}, it shows {key}; compare it on the host's console, then: quorate trust {host.who}"


def complaints_of(inventory: Inventory, path: Path) -> list[Complaint]:
    """What is wrong with what an inventory refers to."""
    return _referred(inventory, path)[0]


def _referred(inventory: Inventory, path: Path) -> tuple[list[Complaint], list[str]]:
    secrets = Secrets(path.parent)
    missing = list(_missing(inventory, secrets))
    files = [value for _, value in _references(inventory) if not value.startswith("env:")]
    if _is_the_twins(inventory) and not any(_path(secrets, value).exists() for value in files):
        missing = [(place, said) for place, said in missing if said.startswith("env:")]
        return located(path, missing), ["the twin has not been started: `quorate lab up` writes its secrets"]
    return located(path, [*missing, *_approvers(inventory, secrets)]), []


def _missing(inventory: Inventory, secrets: Secrets) -> Iterator[Problem]:
    """References that lead nowhere."""
    for place, value in _references(inventory):
        if value.startswith("env:"):
            if not os.environ.get(value.removeprefix("env:"), "").strip():
                yield place, f"{value} is not set here; a worker elsewhere may have it: --offline to skip"
            continue
        found = _path(secrets, value)
        if not found.exists():
            yield place, f"{value} {_ELSEWHERE}"
        elif not found.is_file() or not os.access(found, os.R_OK):
            yield place, f"{value} is there, and cannot be read as a file by this user"
        elif not found.stat().st_size:
            yield place, f"{value} is empty"


def _approvers(inventory: Inventory, secrets: Secrets) -> Iterator[Problem]:
    """A list of approvers that cannot be read, or on which a gate could wait in vain."""
    policy = inventory.approvals
    texts: dict[str, str] = {}
    for field, name in (("allowed_signers", policy.allowed_signers), ("revoked_keys", policy.revoked_keys)):
        try:
            texts[field] = secrets.path(name).read_text() if name else ""
        except FileNotFoundError:
            yield ("approvals", field), f"{name} {_ELSEWHERE}; it holds {signatures.EXAMPLE}"
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no text"
            yield ("approvals", field), f"{name} cannot be read: {said}"
    if len(texts) == 2:
        able = signatures.able(texts["allowed_signers"], texts["revoked_keys"])
        if lacks := too_few(policy, able, ""):
            yield ("approvals", "allowed_signers"), lacks.removeprefix("approvals: ")


def _references(part: object, place: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every reference and every path in the inventory, with its place; the list of approvers is looked at by itself."""
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            if name != "approvals":
                yield from _references(getattr(part, name), (*place, name))
    elif isinstance(part, dict):
        for name, value in part.items():
            yield from _references(value, (*place, str(name)))
    elif isinstance(part, tuple):
        for number, value in enumerate(part):
            yield from _references(value, (*place, number))
    elif isinstance(part, str) and (_REFERENCE.fullmatch(part) or place[-1] in _FILES):
        yield place, part


def _path(secrets: Secrets, value: str) -> Path:
    return secrets.path(value.removeprefix("file:"))


def _is_the_twins(inventory: Inventory) -> bool:
    """All of it is on loopback: what the twin answers for, whose secrets it makes itself when it is started."""
    addresses = [node.address for node in inventory.nodes] + [array.address for array in inventory.arrays]
    return all(map(is_loopback, (*addresses, inventory.outside)))
