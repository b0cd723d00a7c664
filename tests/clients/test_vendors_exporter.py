"""The vendor's own exporter of a FlashArray's metrics, unmodified: it ends with a panic where a number is missing.

It can only be built from its source: FA_OM_EXPORTER names a checkout of pure-fa-openmetrics-exporter.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lab.control.drills import Drills
from tests.clients.conftest import CLIENTS, secret, serving
from tests.clients.test_exporter import metrics_of
from tests.twin import TwinThread
from workers.temporal.embedded import free_port

SOURCE = os.environ.get("FA_OM_EXPORTER", "")
BUILT_WITHIN = 300
PATHS = ("", "/array", "/volumes", "/hosts", "/pods", "/directories")

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not SOURCE, reason="FA_OM_EXPORTER names no checkout of the vendor's exporter"),
    pytest.mark.skipif(shutil.which("go") is None, reason="no Go on this machine: the vendor's exporter is not built"),
]

Ask = Callable[[str], requests.Response]


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The program, running."""
    program = CLIENTS.parent / "fa-om-exporter"
    subprocess.run(
        ["go", "build", "-o", str(program), "./cmd/fa-om-exporter"], cwd=Path(SOURCE), check=True, timeout=BUILT_WITHIN
    )
    port = free_port()
    command = [str(program), "--address", "127.0.0.1", "--port", str(port)]
    where = f"http://127.0.0.1:{port}"
    with serving(command, f"{where}/", tmp_path_factory.mktemp("exporter") / "log", {**os.environ}) as running:
        yield running, where


@pytest.fixture
def ask(exporter: tuple[subprocess.Popen[bytes], str], built: TwinThread) -> Ask:
    """One of its paths, of the first array."""
    described = built.inventory.arrays[0]
    token = secret(built, described.api_token).read_text()

    def scrape(path: str) -> requests.Response:
        return requests.get(
            f"{exporter[1]}/metrics{path}",
            params={"endpoint": described.address},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    return scrape


@pytest.mark.parametrize("path", PATHS)
def test_each_of_its_paths_is_answered(exporter: tuple[subprocess.Popen[bytes], str], ask: Ask, path: str) -> None:
    """With nothing but numbers; the program lives on."""
    answer = ask(path)

    assert answer.status_code == 200, answer.text[:500]
    assert exporter[0].poll() is None
    if path != "/directories":  # there are none
        assert metrics_of(answer.text)


def test_it_tells_of_pods_volumes_and_hosts(ask: Ask) -> None:
    """The stretched pod with both its arrays, its volume, and the hosts of both sites."""
    told = ask("").text

    assert 'purefa_info{array_name="X90R3-SiteA"' in told
    for label in (
        'name="webb-ac-proxmox-01"', 'name="webb-ac-proxmox-01::ac-pve-test-01"', 'host="X90R3-SiteB:pxmx02-03"',
    ):  # fmt: skip
        assert label in told, label


@pytest.mark.parametrize("path", PATHS)
def test_it_still_answers_when_the_arrays_are_parted(
    exporter: tuple[subprocess.Popen[bytes], str], ask: Ask, built: TwinThread, path: str
) -> None:
    """A connection that is down and a pod that one side has lost have figures all the same."""

    async def part() -> None:
        Drills(built.world).fail("inter-site", [], by="test")
        await built.world.clock.sleep(60)

    built.call(part())
    assert ask(path).status_code == 200
    assert exporter[0].poll() is None
