"""The embedded Temporal server: one process on one SQLite file, for a laptop, a demonstration and the tests.

Production runs against a real Temporal cluster; nothing else in Quorate knows which of the two it talks to.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from workers.errors import Unusable
from workers.temporal.binary import Tell, obtain
from workers.temporal.bootstrap import bootstrap, keep_long
from workers.temporal.connect import connect

# Each history shard reads its queue at most 20 times a second unless told otherwise, and a step needs two reads:
# with these a step takes 11 ms instead of 101 (reference: temporal-python §0.1).
DYNAMIC_CONFIG = {
    "history.transferProcessorMaxPollRPS": 1000,
    "history.transferProcessorMaxPollHostRPS": 5000,
    "history.timerProcessorMaxPollRPS": 1000,
    "history.visibilityProcessorMaxPollRPS": 1000,
    "history.persistenceMaxQPS": 100000,
}
# WAL writes about twice as fast as SQLite's default and survives a crash of the process.
PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}

STARTS_WITHIN = 30.0
STOPS_WITHIN = 10.0


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TemporalServer:
    """One embedded server. `database` None keeps everything in memory; its web UI listens on `ui_port`."""

    def __init__(self, *, database: Path | None, port: int, ui_port: int | None, log: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        self.ui = f"http://127.0.0.1:{ui_port}" if ui_port else None
        self._port, self._ui_port, self._database, self._log = port, ui_port, database, log
        self._process: subprocess.Popen[bytes] | None = None
        self.kept = timedelta()  # for how long runs that have ended are kept

    async def start(self, tell: Tell = lambda line: None) -> Client:
        """Start it, wait until it answers, register what runs need; a client for it."""
        binary = await obtain(tell)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self._port))
            except OSError:
                raise Unusable(
                    f"port {self._port} is in use: a Temporal server may run already",
                    "stop it, or choose another one with --port (QUORATE_TEMPORAL_PORT)",
                ) from None
        self._process = self._spawn(binary)
        return await self._answering()

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        for path in (self._log, self._database):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # in a session of its own: Ctrl-C is for who started it, and the server must not die before its worker
            return subprocess.Popen([str(binary), *self._arguments()], stdout=log, stderr=log, start_new_session=True)

    def _arguments(self) -> list[str]:
        words = ["server", "start-dev", "--ip", "127.0.0.1", "--port", str(self._port), "--log-level", "error"]
        words += ["--ui-port", str(self._ui_port)] if self._ui_port else ["--headless"]
        if self._database:
            words += ["--db-filename", str(self._database)]
            for name, value in PRAGMAS.items():
                words += ["--sqlite-pragma", f"{name}={value}"]
        for name, limit in DYNAMIC_CONFIG.items():
            words += ["--dynamic-config-value", f"{name}={limit}"]
        return words

    async def _answering(self) -> Client:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(Unusable, Exception):
                client = await connect(self.address)
                await bootstrap(client)
                self.kept = await keep_long(client)
                return client
            await asyncio.sleep(0.1)
        await self.stop()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        raise Unusable(
            f"the Temporal server does not answer at {self.address} after {STARTS_WITHIN:.0f} s: "
            + (lines[-1][:300] if lines else "no output"),
            f"read {self._log}",
        )

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._process.pid if self._process else None

    async def stop(self) -> None:
        """End it: asked first, killed when it does not listen."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
