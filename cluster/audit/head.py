"""The head of a record: what is signed of it. Each head names the one before, so a run that was dropped is seen."""

import hashlib
import json
import re
from datetime import datetime
from typing import Literal, Self

import rfc8785
from pydantic import Field

from cluster.audit.line import NOTHING, stamp
from cluster.nouns import Value

# What is signed as anything else is no head (`ssh-keygen -Y verify -n quorate-audit`), and whom the key belongs to.
NAMESPACE = SIGNER = "quorate-audit"
# The folders of a record, and the file that says whose signature heads bear.
HEADS, RUNS, SIGNERS = "heads", "runs", "allowed_signers"
# What marks a folder that holds one run, taken out of the whole.
EXPORT = "export.json"
_LETTERS = 100


class Part(Value):
    """A file of a record, one for each execution of the run: so much of it as the head speaks for.

    `whole` once the execution has ended: nothing comes after it any more.
    """

    name: str
    execution: str
    lines: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str
    whole: bool


class Head(Value):
    """The state of one record at one time.

    `lines` and `last` are those of the whole record, `parts` the files that are new or longer since the head before of
    the same run. `previous` is the SHA-256 of the head before, of whatever run. `closed` once the run has ended.
    """

    version: Literal[1] = 1
    number: int = Field(ge=0)
    at: datetime
    cluster: str
    run: str
    runbook: str
    first: str  # the run's first execution
    lines: int = Field(ge=1)
    last: str
    parts: tuple[Part, ...] = Field(min_length=1)
    closed: bool
    signer: str  # the fingerprint of the key
    quorate: str
    previous: str = NOTHING

    @property
    def canonical(self) -> bytes:
        """As it is written and signed, with its end of line."""
        return rfc8785.dumps(self.model_dump(mode="json") | {"at": stamp(self.at)}) + b"\n"

    @property
    def digest(self) -> str:
        """What `sha256sum` says of its file."""
        return hashlib.sha256(self.canonical).hexdigest()

    @property
    def name(self) -> str:
        """Its file."""
        return f"{HEADS}/{self.number:08}.json"

    @property
    def folder(self) -> str:
        """Where the record of its run is."""
        return folder(self.run, self.first)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """The head of these bytes. ValueError unless they are, byte for byte, what `canonical` writes."""
        head = cls.model_validate(json.loads(text))
        if head.canonical != text:
            raise ValueError("it is not written in the canonical form")
        return head


class Anchor(Value):
    """A head, as somebody outside was told of it; every head before it is in its chain."""

    number: int
    sha256: str
    signer: str
    cluster: str
    run: str
    at: datetime

    @classmethod
    def of(cls, head: Head) -> Self:
        """What is told of that head."""
        said = head.model_dump(include={"number", "signer", "cluster", "run", "at"})
        return cls(sha256=head.digest, **said)

    @property
    def canonical(self) -> bytes:
        """A line of a file of anchors."""
        return rfc8785.dumps(self.model_dump(mode="json") | {"at": stamp(self.at)}) + b"\n"


def folder(run: str, first: str) -> str:
    """The folder of a record: readable, safe on any disk, and no other run's."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", run).strip(".")[:_LETTERS]
    return f"{RUNS}/{readable}.{re.sub(r'[^A-Za-z0-9-]+', '_', first)}"


def part_name(folder_: str, number: int) -> str:
    """The file of the execution of that number, counted from 1."""
    return f"{folder_}/{number:04}.jsonl"
