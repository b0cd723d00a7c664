"""Files of a record on a disk: whole lines or none, small files at once, and nothing after what somebody else wrote."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

# A small file that is being written; one that a crash has left is written over.
HALF = ".half"


class Changed(OSError):
    """A file or the folder is not as this process has left it: somebody else has written, or taken it away."""


def as_left(path: Path, size: int) -> None:
    """Changed where a file does not end where this process has ended it: lines would follow on what nobody knows."""
    try:
        found = path.stat()
    except FileNotFoundError:
        if size:
            raise Changed(errno.ENOENT, "it was taken away while a keeper was at work", str(path)) from None
        return
    if stat.S_ISREG(found.st_mode) and found.st_size != size:
        said = f"it has {found.st_size} bytes and not {size}: another program has written to it"
        raise Changed(errno.ESTALE, said, str(path))


def written(path: Path, data: bytes, size: int) -> None:
    """All of it after these bytes, or nothing: a disk that is full keeps half a line otherwise."""
    with path.open("ab", buffering=0) as file:  # a buffer would write its rest once more when it is closed
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.truncate(file.fileno(), size)
            raise


def replaced(path: Path, data: bytes) -> None:
    """A small file at once, or as it was before."""
    beside = path.with_name(f"{path.name}{HALF}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        synced(path.parent)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def synced(place: Path) -> None:
    """The folder knows its files also after a power loss."""
    number = os.open(place, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def repaired(path: Path) -> None:
    """Cut off what a crash has left of a last line."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
