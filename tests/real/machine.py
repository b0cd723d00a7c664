"""A machine: namespaces of its own, a first process, and what is started on it.

The kernel takes it away with this process, however that ends: the first process dies with its parent, and with a first
process all that runs in its namespaces, the network cards too. So nothing has to be looked for and killed by name.
"""

import subprocess
import time
from pathlib import Path

TOOLS = Path(__file__).with_name("files")
BOOTS_WITHIN = 20.0
# A tool of corosync's waits up to half a minute for a daemon that synchronises.
RUNS_WITHIN = 60.0
FOLDERS = ("etc", "lib", "log", "ssh")


class Machine:
    """One host; what is in `folder` outlives its power, as a disk would."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._parent: subprocess.Popen[bytes] | None = None
        self.pid = 0  # of its first process, as this computer counts
        for part in FOLDERS:
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "hosts").write_text("127.0.0.1 localhost\n")

    @property
    def powered(self) -> bool:
        """Its first process lives."""
        return self._parent is not None and self._parent.poll() is None

    def boot(self) -> None:
        """Make its namespaces and wait for its first process; nothing runs on it after that, and no card is in it."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        # a parent's death is told to the very thread that began this: machines are booted by the main thread alone
        dies_with_us = ("setpriv", "--pdeathsig", "KILL")
        own = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
        with (self.folder / "log" / "init.out").open("ab") as log:
            self._parent = subprocess.Popen(
                [*dies_with_us, *own, str(TOOLS / "init"), str(self.folder), str(TOOLS), self.name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + BOOTS_WITHIN
        while not ready.exists():
            said = (self.folder / "log" / "init.out").read_text()[-400:]
            assert self.powered, f"{self.name} did not boot: {said}"
            assert time.monotonic() < deadline, f"{self.name} has not booted in {BOOTS_WITHIN:.0f} s: {said}"
            time.sleep(0.01)
        children = Path(f"/proc/{self._parent.pid}/task/{self._parent.pid}/children").read_text()
        self.pid = int(children.split()[0])

    def kill(self) -> None:
        """Take its power: everything on it ends at once, and says no goodbye to anybody."""
        if self._parent is not None:
            self._parent.kill()  # its child, the machine's first process, dies with it
            self._parent.wait()
            self._gone()
        self._parent, self.pid = None, 0

    def _gone(self) -> None:
        deadline = time.monotonic() + BOOTS_WITHIN
        while Path(f"/proc/{self.pid}").exists():
            assert time.monotonic() < deadline, f"{self.name} still runs {BOOTS_WITHIN:.0f} s after it was killed"
            time.sleep(0.005)

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command on it, whatever its exit status."""
        inside = ("nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "--")
        return subprocess.run(
            [*inside, *words], input=text, capture_output=True, text=True, cwd="/", timeout=RUNS_WITHIN, check=False
        )

    def do(self, *words: str, text: str | None = None) -> str:
        """The output of a command that must end with 0."""
        done = self.run(*words, text=text)
        assert done.returncode == 0, f"{self.name}: {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout
