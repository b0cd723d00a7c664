"""A built, watched twin whose token lacks one right at a time."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from cluster.inventory import Inventory
from cluster.privileges import granted
from tests.breakglass.conftest import POLICY, Glass, breaking
from tests.incidents.conftest import Site
from tests.twin import CHOSEN, inventory_file, with_policy

Right = tuple[str, str]  # the path, and the privilege there
Counted = Callable[[str, object], None]  # pytest's `record_property`
ANSWERS = Path(__file__).parent / "outcomes"


def as_kept(name: str, lines: list[str]) -> list[str]:
    """What is kept of that name, to be compared with; written anew where QUORATE_WRITE says so."""
    kept = ANSWERS / f"{name}.txt"
    if os.environ.get("QUORATE_WRITE"):
        kept.write_text("\n".join(lines) + "\n")
    return kept.read_text().splitlines()


def grouped(whole: str, without: dict[Right, str]) -> list[str]:
    """How something ends with all rights, and under which right it ends otherwise when that is taken away."""
    same = sum(ends == whole for ends in without.values())
    lines = [f"with all rights, and without any one of {same} others: {whole}"]
    others = sorted((ends, f"{name} at {path}") for (path, name), ends in without.items() if ends != whole)
    for ends, rights in groupby(others, key=lambda one: one[0]):
        lines.append(f"without {', '.join(right for _, right in rights)}: {ends}")
    return lines


def rights_of(inventory: Inventory) -> list[Right]:
    """All that docs/prepare.md grants, one by one."""
    return [(path, privilege) for path, privileges in granted(inventory).items() for privilege in privileges]


def take_away(site: Site, *taken: Right) -> None:
    """The token and its user have what the page grants, but not these."""
    rights = {
        path: {privilege: True for privilege in privileges if (path, privilege) not in taken}
        for path, privileges in granted(site.inventory).items()
    }
    site.grant(rights)


@pytest.fixture(scope="session")
def running_rights_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("rights")
    twin = Site(with_policy(inventory_file(folder, "rights", CHOSEN), POLICY), 10.0)
    yield twin
    twin.stop()


@pytest.fixture
def site(running_rights_site: Site) -> Site:
    """A healthy, built cluster whose token has the rights of the page and no others."""
    running_rights_site.rebuild()
    take_away(running_rights_site)
    return running_rights_site


@pytest_asyncio.fixture
async def glass(client: Client, site: Site) -> AsyncIterator[Glass]:
    """People beside a watched cluster."""
    async with breaking(client, site) as one:
        yield one


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many rights were taken away from what, in any process."""
    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.getreports(outcome)]
    lines = [str(said) for one in reports for name, said in one.user_properties if name == "rights"]
    if lines:
        terminalreporter.write_sep("=", "rights taken away")
        for line in sorted(lines):
            terminalreporter.write_line(line)
