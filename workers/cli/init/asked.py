"""What `quorate init` was asked for with its options, and what they have to be before anything is read."""

import os
import shlex
import ssl
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from activities.clients.secrets import Secrets
from cluster.addresses import split
from cluster.inventory import Api, Array, Ssh, Witness
from cluster.nouns import Fingerprints
from cluster.transports import NAMES, Transport
from workers.cli.init.defaults import ENGINE, PVE_PORT, SIGNERS, SITES, SSH_PORT, THIRD
from workers.cli.init.draft import Given
from workers.cli.init.reading import endpoint
from workers.cli.references import secret_of
from workers.errors import Unusable

REQUIRED = ("pve", "pve_token", "array_a", "array_a_token", "array_b", "array_b_token")
REFERENCES = ("pve_token", "array_a_token", "array_b_token", "ssh_key")
FILES = ("pve_ca", "array_ca", "known_hosts")


@dataclass(frozen=True)
class Asked:
    """The options. A path and a reference to a file count from the folder where the command was typed."""

    pve: str | None
    pve_token: str | None
    pve_token_id: str | None
    pve_ca: Path | None
    array_a: str | None
    array_a_token: str | None
    array_b: str | None
    array_b_token: str | None
    array_ca: Path | None
    witness: str | None
    ssh_key: str | None
    known_hosts: Path | None
    ssh_port: int
    site_a: str | None
    site_b: str | None
    nodes_a: str | None
    site_c: str | None
    nodes_c: str | None
    transport: Transport | None
    fingerprints: tuple[str, ...]
    pod: str | None
    volume: str | None
    storage: str | None
    template: int | None
    signers: Path
    out: Path
    force: bool

    def must_be_usable(self) -> None:
        """Unusable with the first option that is missing, leads nowhere, or is not what it has to be."""
        if missing := [option(name) for name in REQUIRED if not getattr(self, name)]:
            raise Unusable(
                f"{', '.join(missing)} not given: nothing can be read without",
                "for example quorate init --pve https://10.0.0.11:8006 --pve-token env:PVE_TOKEN "
                "--array-a https://10.0.0.10 --array-a-token env:ARRAY_A --array-b https://10.1.0.10 "
                "--array-b-token env:ARRAY_B; at a terminal, quorate init alone asks",
            )
        for name in REFERENCES:
            if (reference := getattr(self, name)) is not None:
                secret_of(option(name), reference, self.secrets)
        for name in FILES:
            if (path := getattr(self, name)) is not None:
                readable(option(name), path)
        _ = self.api, self.arrays, self.ssh, self.witness_named, self.accepted
        if self.transport is not None and self.transport not in NAMES:
            raise Unusable(f"--transport {self.transport}: there is none of that name", f"choose of {', '.join(NAMES)}")
        if self.nodes_c is not None and self.witness is not None:
            raise Unusable(
                "--nodes-c and --witness are given: nodes of a third place decide between the sites, or a witness does",
                "give one of both",
            )

    @property
    def line(self) -> str:
        """The command that asks for the same without a question."""
        plain = {"ssh_port": SSH_PORT, "signers": SIGNERS, "force": False, "fingerprints": ()}
        given = ((one.name, getattr(self, one.name)) for one in fields(self))
        words = [
            word
            for name, value in given
            if value is not None and value != plain.get(name)
            for word in _words(name, value)
        ]
        return shlex.join(["quorate", "init", *words])

    @property
    def token_id(self) -> str:
        """The API token's name."""
        return self.pve_token_id or ENGINE

    @property
    def secrets(self) -> Secrets:
        """References as they were typed."""
        return Secrets(Path.cwd())

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of the API that is asked."""
        host, port = split(endpoint("--pve", self.pve or ""))
        return host, port or PVE_PORT

    @property
    def api(self) -> Api:
        """The API as it is typed; its `ca` counts from here."""
        made: Api = self._made(
            "--pve-token-id", self.token_id, Api, token_id=self.token_id, token=self.pve_token,
            port=self.place[1], ca=_text(self.pve_ca),
        )  # fmt: skip
        return made

    @property
    def arrays(self) -> tuple[Array, Array]:
        """Both arrays as they are typed, each named by its option until it has told its own name."""
        first, second = (
            Array.model_construct(
                name=option(name), address=endpoint(option(name), getattr(self, name)), host_group="",
                api_token=getattr(self, f"{name}_token"), ca=_text(self.array_ca),
            )
            for name in ("array_a", "array_b")
        )  # fmt: skip
        return first, second

    @property
    def ssh(self) -> Ssh | None:
        """How the nodes are reached over SSH; None without a key and the hosts' keys."""
        if self.ssh_key is None or self.known_hosts is None:
            return None
        return Ssh(key=self.ssh_key, known_hosts=str(self.known_hosts), port=self.ssh_port)

    @property
    def accepted(self) -> set[str]:
        """The fingerprints to trust, in the inventory's spelling."""
        try:
            return set(TypeAdapter(Fingerprints).validate_python(list(self.fingerprints)))
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Unusable(f"--fingerprint: {said}", "correct --fingerprint") from None

    @property
    def witness_named(self) -> tuple[str, str | None]:
        """Name and address of the witness; no address where its quorum device may tell it."""
        name, equals, address = (self.witness or "").rpartition("=")
        if not address and not equals:
            return "witness", None
        made: Witness = self._made(
            "--witness", self.witness or "", Witness, **({"name": name} if equals else {}), address=address
        )
        return made.name, made.address

    def given(self) -> Given:
        """What goes into the file: references and paths count from its folder there."""
        return Given(
            token_id=self.token_id,
            token=self._moved(self.pve_token) or "",
            pve_ca=self._beside(self.pve_ca),
            array_ca=self._beside(self.array_ca),
            port=self.place[1],
            witness=self.witness_named,
            ssh_key=self._moved(self.ssh_key),
            known_hosts=self._beside(self.known_hosts),
            ssh_port=self.ssh_port,
            template=self.template,
            site_names=(self.site_a or SITES[0], self.site_b or SITES[1]),
            third_name=self.site_c or THIRD,
            allowed_signers=self._beside(self.signers) or "",
            array_tokens=(self._moved(self.array_a_token) or "", self._moved(self.array_b_token) or ""),
        )

    def _moved(self, reference: str | None) -> str | None:
        if reference is None or not reference.startswith("file:"):
            return reference
        return f"file:{self._beside(Path(reference.removeprefix('file:')))}"

    def _beside(self, path: Path | None) -> str | None:
        if path is None or path.is_absolute():
            return _text(path)
        return os.path.relpath(path.absolute(), self.out.absolute().parent)

    def _made(self, name: str, value: str, kind: type[Any], /, **values: object) -> Any:
        try:
            return kind(**values)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Unusable(f"{name} {value}: {said}", f"correct {name}") from None


def option(name: str) -> str:
    """``array_a_token`` is ``--array-a-token``."""
    return f"--{name.replace('_', '-')}"


def _words(name: str, value: object) -> list[str]:
    """An option as it is typed; what may be given several times is in a tuple."""
    if isinstance(value, tuple):
        return [word for one in value for word in ("--fingerprint", str(one))]
    return [option(name)] if value is True else [option(name), str(value)]


def readable(name: str, path: Path) -> None:
    """Unusable unless it is a file that can be read, and, where authorities are meant, has a certificate in it."""
    if not (path.is_file() and os.access(path, os.R_OK)):
        raise Unusable(f"{name} {path} is no file that can be read here", f"name the right file with {name}")
    if name.endswith("-ca"):
        try:
            ssl.create_default_context(cafile=path)
        except (ssl.SSLError, ValueError):
            raise Unusable(f"{name} {path} holds no certificate", "name a file with certificates, as PEM") from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
