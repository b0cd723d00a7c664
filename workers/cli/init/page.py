"""The inventory file as it is written: YAML with comments that say what each part is for; whole, or not at all."""

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from workers.cli.init.draft import Document, Open
from workers.errors import Unusable

T = TypeVar("T")

HEAD = """\
# The inventory of {name}: what Quorate works with, as `quorate init` has read it from the cluster and its arrays.
# It is yours to edit now; `quorate check {file}` names what is wrong or not filled in yet.
# A secret never stands here: env:NAME or file:PATH says where it is. A path counts from this file's folder."""
COMMENTS = {
    "sites": "Two rooms, each of which can be lost as a whole: its nodes and the array beside them.\nFrom: {why}.\n"
    "Quorate asks a node's API and sshd at `address`. Corosync's links, for comparison:\n{links}\n"
    "A management controller (Redfish, or `protocol: ipmi`) proves that a node has no power; it belongs to a node:\n"
    '  bmc: {{address: "10.0.0.111", user: quorate, password: "env:BMC_PASSWORD", ca: bmc-ca.pem}}',
    "arrays": "Both FlashArrays. `host_group` holds the nodes; `ca` is the PEM file that signs their certificates.",
    "third": "A third place whose nodes vote instead of a quorum device; no array is there, and no guest of the pods.",
    "witness": "The host at the third place that runs corosync-qnetd.",
    "api": "The cluster's API. docs/prepare.md says what the token must be allowed to do.",
    "ssh": "How nodes and witness are reached. A host whose key is not in `known_hosts` is not spoken to.",
    "pod": "The stretched pod and its one volume. Each array numbers LUNs for itself.",
    "storage": "Shared thick LVM on that volume.",
    "pods": "The stretched pods with their volumes. Each array numbers LUNs for itself.",
    "storages": "Shared thick LVM: each storage is on a volume of its own.",
    "guests": "The virtual machines that `deploy` answers for. An incident looks after every guest under HA.\n"
    "`node` is where it ran when this was read: put its home there.",
    "ha": "What HA is told about these guests. `failback: false`: guests go home when people say so.",
    "approvals": "Who may approve a failback: how many, and where their public keys are (docs/approve.md).",
}
TAIL = """\
# Limits, timeouts, the watch, notices (docs/follow-an-incident.md) and event sources (docs/events.md) have defaults:
# limits: {array_rtt: 10ms, corosync_rtt: 5ms, witness_rtt: 10ms, clock_offset: 1s}
# notify: [{name: chat, webhook: "env:CHAT_WEBHOOK"}]
# events: [{name: pve, kind: pve, secret: "env:PVE_EVENTS"}]"""
WIDTH = 110


def page(made: Document, file: str, facts: Mapping[str, str]) -> str:
    """The text of the file. `facts` fill the comments: why the sites are so, corosync's links."""
    parts = [HEAD.format(name=made["name"], file=file)]
    for key, value in made.items():
        comment = COMMENTS.get(key, "").format(**facts)
        lines = [f"# {line}".rstrip() for line in comment.splitlines()]
        text = yaml.dump({key: _plain(value)}, Dumper=_Indented, sort_keys=False, width=WIDTH, allow_unicode=True)
        parts.append("\n".join([*lines, text.rstrip()]))
    return "\n\n".join([*parts, TAIL]) + "\n"


class _Indented(yaml.SafeDumper):
    """A list is set off from what it belongs to, as in the shipped examples."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never without."""
        super().increase_indent(flow, False)


def _plain(part: Any) -> Any:
    """With what is left open as the words that `quorate check` looks for."""
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_plain(value) for value in part]
    return str(part) if isinstance(part, Open) else part


def must_be_free(path: Path, *, force: bool) -> None:
    """Unusable when a file may not be written there; asked before anything is read."""
    if path.is_dir():
        raise Unusable(f"--out {path} is a folder", "name a file in it, for example inventory.yaml")
    if path.exists() and not force:
        raise Unusable(f"--out {path} exists already", "name another file, or write over it with --force")
    if not path.parent.is_dir():
        raise Unusable(f"--out {path}: there is no folder {path.parent}", "make the folder first")


def write(path: Path, text: str, *, force: bool, check: Callable[[Path], T]) -> T:
    """The whole file at once, and only if `check` takes it; what that says of it.

    Whoever reads meanwhile sees the old file or none, and two that write do not mix.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        found = check(beside)
        if force:
            beside.replace(path)
        else:
            path.hardlink_to(beside)  # unlike a rename it refuses where a file has come into being meanwhile
        return found
    except FileExistsError:
        raise Unusable(f"--out {path} exists already", "name another file, or write over it with --force") from None
    except OSError as error:
        raise Unusable(f"--out {path} cannot be written: {error.strerror}", "name another place") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
