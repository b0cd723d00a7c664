"""Where the embedded mode gets its Temporal server from, and how a machine comes to have one.

In this order: `temporal` on PATH, the copy in the user's cache, the download that the SDK knows, a build with Go.
What was fetched or built once is kept under the user's cache folder and never fetched or built again.
"""

import asyncio
import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from workers.errors import Unusable

# Later ones cannot be installed by `go install`: their go.mod replaces a module.
VERSION = "1.5.1"
MODULE = f"github.com/temporalio/cli/cmd/temporal@v{VERSION}"
DOWNLOAD_HOST = "temporal.download"
# What `go install -v` prints for an empty build cache; only used to show how far a build is.
PACKAGES = 1300

Tell = Callable[[str], None]


def cache_folder() -> Path:
    """The user's cache, as XDG has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quorate"


def cached() -> Path:
    """Where the kept binary stands, whether it is there or not."""
    return cache_folder() / f"temporal-{VERSION}" / "temporal"


def find() -> Path | None:
    """A binary that is there already."""
    on_path = shutil.which("temporal")
    if on_path:
        return Path(on_path)
    return cached() if os.access(cached(), os.X_OK) else None


async def obtain(tell: Tell) -> Path:
    """The binary, fetched or built when there is none; `tell` gets a line now and then while that lasts.

    Unusable, with the three ways out, when nothing works.
    """
    if there := find():
        return there
    with _alone(tell):
        if there := find():  # another process was faster
            return there
        if await _reachable(DOWNLOAD_HOST):
            tell(f"fetching the Temporal server from {DOWNLOAD_HOST} (about 100 MB)")
            if fetched := await _download(tell):
                return fetched
        else:
            tell(f"{DOWNLOAD_HOST} is not reached from here")
        if shutil.which("go"):
            return await asyncio.to_thread(_build, tell)
    raise Unusable(
        "no Temporal server: none on PATH, none in the cache, no download, and no Go toolchain to build one",
        f"one of: put the `temporal` command (CLI {VERSION}) on PATH; let this machine reach https://{DOWNLOAD_HOST}; "
        f"or install Go 1.25 or later, then run this again",
    )


@contextmanager
def _alone(tell: Tell) -> Iterator[None]:
    """One process at a time fetches or builds; the others wait and find the result."""
    cached().parent.mkdir(parents=True, exist_ok=True)
    with (cached().parent / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another process is getting the Temporal server: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def _reachable(host: str) -> bool:
    """Whether a TCP connection opens within three seconds; a closed network must not cost minutes."""

    def attempt() -> bool:
        try:
            socket.create_connection((host, 443), timeout=3).close()
        except OSError:
            return False
        return True

    try:
        return await asyncio.wait_for(asyncio.to_thread(attempt), 5)
    except TimeoutError:
        return False


async def _download(tell: Tell) -> Path | None:
    """Let the SDK fetch the CLI into our cache, by starting its dev server once."""
    folder = cached().parent
    try:
        environment = await WorkflowEnvironment.start_local(
            download_dest_dir=str(folder),
            dev_server_download_version=f"v{VERSION}",
            dev_server_startup_timeout=timedelta(minutes=5),
        )
        await environment.shutdown()
    except RuntimeError as error:
        tell(f"the download failed: {str(error)[:200]}")
        return None
    fetched = next((path for path in sorted(folder.glob("temporal-*")) if os.access(path, os.X_OK)), None)
    return fetched.rename(cached()) if fetched else None


def _build(tell: Tell) -> Path:
    """`go install`, into a folder of its own and moved when it is whole."""
    half = cached().parent / "half-built"
    tell("building the Temporal server with Go, once: 3 to 5 minutes on two cores")
    started, compiled, told = time.monotonic(), 0, time.monotonic()
    # GOFLAGS may ask for a vendor folder, which an install by version refuses
    environment = {**os.environ, "GOBIN": str(half), "GOFLAGS": ""}
    process = subprocess.Popen(
        ["go", "install", "-v", MODULE], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    last_words: list[str] = []
    assert process.stdout is not None  # noqa: S101  # we asked for a pipe
    for line in process.stdout:
        last_words = [*last_words[-4:], line.strip()]
        compiled += not line.startswith("go: ")
        if time.monotonic() - told >= 10:
            told = time.monotonic()
            tell(f"building: {compiled} of about {PACKAGES} packages, {told - started:.0f} s")
    if process.wait() != 0:
        raise Unusable(
            f"`go install {MODULE}` failed: {' / '.join(last_words)}",
            f"put the `temporal` command (CLI {VERSION}) on PATH instead",
        )
    (half / "temporal").replace(cached())
    half.rmdir()
    tell(f"built in {time.monotonic() - started:.0f} s, kept at {cached()}")
    return cached()
