"""A built twin in real time, and what the doctor says of it."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cluster.doctor.check import AREAS, Area, Check
from tests.failback.people import Person
from tests.incidents.conftest import Site
from tests.twin import inventory_file
from workers.cli.doctor import page
from workers.cli.doctor.commands import examined
from workers.inventory_file import load

# Fast enough for a test, slow enough for clocks to be read one after the other.
SPEED = 5.0
NUMBER_OF_DAYS = re.compile(r"good for \d+ days")
# hosts are read one after the other: a busy machine moves it by seconds of the twin
AHEAD = re.compile(r"(\d+ min) \d+ s ahead")


class Patient(Site):
    """The article's lab; its inventory may be another one for a look."""

    def looked(self, areas: Sequence[Area] = AREAS, path: Path | None = None) -> list[Check]:
        """All that the doctor finds."""
        where = path or self.path
        return asyncio.run(examined(load(where), where, areas))

    def page(self, areas: Sequence[Area] = AREAS, path: Path | None = None) -> list[str]:
        """The page, without what differs from run to run."""
        return [self.plain(line) for line in page.lines(self.looked(areas, path))]

    def wrong(self, areas: Sequence[Area] = AREAS, path: Path | None = None) -> list[str]:
        """The lines of the page that are not well, each with its remedy behind it."""
        told = [check for check in self.looked(areas, path) if check.state not in ("ok", "later")]
        return [
            self.plain(" ".join(line.strip() for line in page.lines([one]) if line.startswith(" "))) for one in told
        ]

    def plain(self, line: str) -> str:
        """Addresses, folders, days and seconds as they are in any run."""
        text = re.sub(r"127\.\d+\.", "127.N.", line).replace(str(self.path.parent), "FOLDER")
        return AHEAD.sub(r"\1 N s ahead", NUMBER_OF_DAYS.sub("good for N days", text))

    def pinning(self, array: str, pin: str) -> None:
        """From now on the inventory has that fingerprint of the array."""
        token = f"api_token: file:secrets/{array}.token\n"
        text = self.path.read_text()
        self.path.write_text(text.replace(token, f'{token}    fingerprint: "{pin}"\n'))
        self.inventory = load(self.path)


def begun(folder: Path, which: str) -> Patient:
    """A twin of its own, with all that its inventory refers to."""
    # on the site of the lowest node id, which the quorum device's tie-breaker prefers
    first = {"  first: X90R3-SiteA\n": "  first: X90R3-SiteA\n  failover_preference: X90R3-SiteA\n"}
    one = Patient(inventory_file(folder, which, **first), speed=SPEED)
    (folder / "secrets" / "allowed_signers").write_text(f"{Person('ana').line}\n")
    return one


@pytest.fixture(scope="session")
def running_patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    one = begun(tmp_path_factory.mktemp("doctor"), "doctor")
    yield one
    one.stop()


@pytest.fixture
def patient(running_patient: Patient) -> Patient:
    """As built, and healthy."""
    running_patient.rebuild()
    return running_patient


@pytest.fixture
def bent(tmp_path: Path) -> Iterator[Patient]:
    """One whose certificates, keys and secrets a test may change: it is used once."""
    one = begun(tmp_path, "bent")
    one.rebuild()
    yield one
    one.stop()
