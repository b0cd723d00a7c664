"""What the commands read: a folder of records, one record alone, and what was told outside."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from temporalio.service import RPCError

from activities.clients import timestamps
from activities.clients.signatures import fingerprint_of_line
from cluster.audit.head import HEADS, SIGNERS, Anchor, Head
from cluster.audit.scan import Fault
from cluster.audit.verify import Verdict, verified
from cluster.ledger import ledger_id
from cluster.units import counted
from workers.audit import anchors as outside
from workers.audit.store import Files, Signatures, held, soundness
from workers.errors import Unusable
from workers.settings import Settings
from workers.temporal.connect import connect
from workflows.ledger import ClusterLedger

NOT_CHECKED = "time stamps are not checked here: pip install 'quorate[audit]'"


# Seconds between looks at a folder in which something is wrong and a keeper is at work.
PAUSES = (1.0, 3.0)


def folder_of(settings: Settings, named: Path | None = None) -> Path:
    """The folder that is named, else the worker's own. Unusable where there is none."""
    if named is not None:
        if not named.is_dir():
            raise Unusable(f"--folder {named} is no folder", "name a folder with heads and runs in it")
        return named
    if not settings.audit_folder.is_dir():
        raise Unusable(
            f"there are no audit records in {settings.audit_folder}",
            "name their folder with QUORATE_AUDIT; a worker makes it when it starts",
        )
    return settings.audit_folder


def anchored(path: Path | None, settings: Settings) -> list[Anchor]:
    """The heads of a file elsewhere; of the settings' one, unless another is named. Unusable where it says none."""
    chosen = path or settings.audit_file
    if chosen is None or (path is None and not chosen.exists()):
        return []
    try:
        return outside.known(chosen)
    except OSError as error:
        raise Unusable(f"{chosen} cannot be read: {error.strerror}", "name a file of anchors with --anchors") from None
    except ValueError:
        raise Unusable(f"{chosen} is no file of anchors", "each line of one is a head that was told outside") from None


def uncompared(path: Path | None, settings: Settings) -> str:
    """What of a file elsewhere could not be compared, in a sentence; empty where all of it was."""
    chosen = path or settings.audit_file
    if chosen is None:
        return ""
    if not chosen.exists():
        return f"QUORATE_AUDIT_FILE is {chosen}, which is not there: nothing was compared with it"
    count = outside.torn(chosen)
    return f"{counted(count, 'line is', 'lines are')} no head in {chosen}, and not compared" if count else ""


async def remembered(place: Path) -> tuple[list[Anchor], list[Fault]]:
    """The newest heads of this folder's chain that the cluster's ledger at Temporal was told. Unusable without one.

    A fault where it was told of heads, none of them is of a key of this folder, and one of its own should be there.
    """
    cluster = newest(place).cluster
    try:
        ledger = (await connect()).get_workflow_handle(ledger_id(cluster))
        book = await ledger.query(ClusterLedger.book)
    except RPCError as error:
        raise Unusable(f"the ledger of {cluster} does not answer: {error.message}", "leave out --ledger") from None
    ours = [one for signer, one in book.audited.items() if signer in keys(place)]
    if ours or not book.audited or not any(head.closed and head.runbook != outside.LEDGER for head in heads(place)):
        return ours, []
    what = f"the ledger of {cluster} was told of no head by a key of this folder, but by {', '.join(book.audited)}"
    return [], [Fault(where=SIGNERS, what=what, means="the folder was signed again with another key")]


def newest(place: Path) -> Head:
    """The newest head that can be read. Unusable where there is none."""
    for head in heads(place):
        return head
    raise Unusable(f"{place} has no head", "name a folder with heads and runs in it")


def heads(place: Path) -> Iterator[Head]:
    """Those that can be read, the newest first."""
    for path in sorted((place / HEADS).glob("*.json"), reverse=True):
        with contextlib.suppress(ValueError, RecursionError):
            yield Head.read(path.read_bytes())


def signatures(place: Path, signers: Path | None) -> Signatures:
    """The keys that count: of a list that was kept elsewhere, else those that the folder names itself."""
    if signers is None:
        return soundness(place)
    try:
        return Signatures(signers.read_bytes())
    except OSError as error:
        said = f"--signers {signers} cannot be read: {error.strerror}"
        raise Unusable(said, "name a copy of the folder's allowed_signers") from None


def judged(
    place: Path, anchors: Iterable[Anchor] = (), *, run: str | None = None, signers: Path | None = None
) -> Verdict:
    """What `verify` says of that folder.

    While a keeper is at work a line may be there for a moment before the head that speaks for it: then it is looked
    at once more.
    """
    known, soundly = list(anchors), signatures(place, signers)
    for pause in PAUSES:
        found = verified(Files(place), soundly, known, run)
        if found.ok or not held(place):
            return found
        time.sleep(pause)
    return verified(Files(place), soundly, known, run)


def stamps(place: Path, roots: Path | None) -> tuple[int, list[Fault], str]:
    """How many time stamps there are, which of them do not hold, and what was not checked."""
    names = sorted((place / HEADS).glob("*.tsr"))
    faults = []
    try:
        for path in names:
            head = path.with_suffix("")
            data = head.read_bytes() if head.exists() else b""
            _, why = timestamps.stamped(path.read_bytes(), data, roots)
            if why:
                means = "the head was changed after it was stamped, or the stamp was"
                faults.append(Fault(where=f"{HEADS}/{path.name}", what=why, means=means))
    except ImportError:
        return len(names), [], NOT_CHECKED
    except (OSError, ValueError):
        raise Unusable(f"{roots} holds no certificates (PEM)", "name those of the time stamp service") from None
    unchecked = "" if roots or not names else "whose time stamps they are is not checked: name its roots with --roots"
    return len(names), faults, unchecked


def keys(place: Path) -> list[str]:
    """The fingerprints of the keys that the folder names."""
    try:
        lines = (place / SIGNERS).read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [found for line in lines if (found := fingerprint_of_line(line))]
