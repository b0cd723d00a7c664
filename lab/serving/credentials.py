"""The twin's certificates, tokens and keys, put where the inventory's references point.

Only for an inventory whose addresses are all loopback: nothing of a real cluster's is ever overwritten.
"""

import ipaddress
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from cluster.inventory import Inventory
from lab.serving.certificates import Certificates, Kind, Style, certificates


class NotLoopback(Exception):
    """The inventory names addresses that are not the twin's to answer on."""


@dataclass
class Credentials:
    """Everything the twin's servers show and accept."""

    certificates: Certificates
    array_tokens: dict[str, str]
    api_secret: str
    password: str  # of root@pam, and of the user whose token the engine has
    host_keys: dict[str, asyncssh.SSHKey]
    client_key: asyncssh.SSHKey
    bmc_passwords: dict[str, str]  # by the reference that leads to it: several controllers may share one


def host_of(address: str) -> str:
    """``127.0.0.1:8443`` to ``127.0.0.1``."""
    return address.rsplit(":", 1)[0] if ":" in address else address


def port_of(address: str, default: int = 443) -> int:
    """``127.0.0.1:8443`` to 8443."""
    return int(address.rsplit(":", 1)[1]) if ":" in address else default


def password_file(inventory: Inventory, base: Path) -> Path | None:
    """Where the cluster's password is written: beside the token, ``pve.password``; None where that is no file."""
    token = _file(base, inventory.api.token)
    return token and token.with_suffix(".password")


def prepare(inventory: Inventory, base: Path, *, password: str | None = None, style: Style = "made") -> Credentials:
    """Make certificates and keys new and write the client's side; relative references count from `base`.

    Tokens and passwords that stand there already are taken. `password` is chosen by a person; without one it is random.
    `style` says which certificates the servers show.
    """
    hosts = {node.name: node.address for node in inventory.nodes}
    if inventory.witness:
        hosts[inventory.witness.name] = inventory.witness.address
    _only_loopback(inventory)
    credentials = Credentials(
        certificates=certificates(style, _servers(inventory)),
        array_tokens={array.name: _kept(base, array.api_token) or str(uuid.uuid4()) for array in inventory.arrays},
        api_secret=_kept(base, inventory.api.token) or str(uuid.uuid4()),
        password=password or secrets.token_urlsafe(12),
        host_keys={name: asyncssh.generate_private_key("ssh-ed25519") for name in hosts},
        client_key=asyncssh.generate_private_key("ssh-ed25519"),
        bmc_passwords={
            node.bmc.password: _kept(base, node.bmc.password) or secrets.token_urlsafe(12)
            for node in inventory.nodes
            if node.bmc
        },
    )
    trusted = {array.ca for array in inventory.arrays} | {node.bmc.ca for node in inventory.nodes if node.bmc}
    for path in trusted | {inventory.api.ca}:
        if path:
            _write(base / path, credentials.certificates.bundle)
    for array in inventory.arrays:
        _secret(base, array.api_token, credentials.array_tokens[array.name].encode())
    _secret(base, inventory.api.token, credentials.api_secret.encode())
    if place := password_file(inventory, base):
        _write(place, credentials.password.encode())
    for reference, secret in credentials.bmc_passwords.items():
        _secret(base, reference, secret.encode())
    _secret(base, inventory.ssh.key, credentials.client_key.export_private_key())
    known = "".join(
        f"[{address}]:{inventory.ssh.port} {credentials.host_keys[name].export_public_key().decode().strip()}\n"
        for name, address in hosts.items()
    )
    _write(base / inventory.ssh.known_hosts, known.encode())
    return credentials


def _servers(inventory: Inventory) -> list[tuple[Kind, str, str]]:
    found: list[tuple[Kind, str, str]] = [("node", node.name, node.address) for node in inventory.nodes]
    found += [("array", array.name, host_of(array.address)) for array in inventory.arrays]
    found += [("controller", node.name, host_of(node.bmc.address)) for node in inventory.nodes if node.bmc]
    return found


def _only_loopback(inventory: Inventory) -> None:
    addresses = [node.address for node in inventory.nodes]
    addresses += [array.address for array in inventory.arrays] + [inventory.outside]
    addresses += [node.bmc.address for node in inventory.nodes if node.bmc]
    for address in addresses:
        host = host_of(address)
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise NotLoopback(f"{address} is not a loopback address: the twin answers only on 127.0.0.0/8")


def _kept(base: Path, reference: str) -> str:
    """What an earlier twin, or a person, has put there; empty where nothing is."""
    path = _file(base, reference)
    return path.read_text().strip() if path and path.is_file() else ""


def _secret(base: Path, reference: str, secret: bytes) -> None:
    if path := _file(base, reference):
        _write(path, secret)


def _file(base: Path, reference: str) -> Path | None:
    """The file that a reference leads to; None for another kind."""
    kind, _, name = reference.partition(":")
    return base / name if kind == "file" else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
