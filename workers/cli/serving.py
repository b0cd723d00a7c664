"""What commands that serve over HTTP have in common: where they listen, with which certificate and which password."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from activities.clients.secrets import Secrets
from workers.cli.references import secret_of
from workers.errors import Unusable

LOOPBACK = ("127.", "::1", "localhost")
FEWEST_LETTERS = 12

HostOption = Annotated[str, typer.Option(help="The address to listen on.")]
PortOption = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]
CertOption = Annotated[Path | None, typer.Option("--tls-cert", help="The certificate chain as PEM; needs --tls-key.")]
KeyOption = Annotated[Path | None, typer.Option("--tls-key", help="The certificate's key as PEM.")]

Certificate = tuple[str, str]


def certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    """Chain and key for TLS; None to serve plain HTTP. Unusable when only one of them is given."""
    if (chain is None) != (key is None):
        raise Unusable("--tls-cert and --tls-key belong together", "give both, or none to serve plain HTTP")
    return (str(chain), str(key)) if chain and key else None


def is_local(host: str) -> bool:
    """Only this machine reaches what listens there."""
    return host.startswith(LOOPBACK)


def url(host: str, place: socket.socket, tls: Certificate | None) -> str:
    """Where it is served, without a path."""
    return f"{'https' if tls else 'http'}://{host}:{place.getsockname()[1]}"


def password_of(option: str, reference: str, secrets: Secrets) -> str:
    """The password that an option refers to; Unusable when it leads nowhere or is one that can be guessed."""
    password = secret_of(option, reference, secrets)
    if len(password) < FEWEST_LETTERS:
        raise Unusable(f"the password of {reference} is too short", f"use {FEWEST_LETTERS} letters at least")
    return password
