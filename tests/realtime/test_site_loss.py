"""Site A loses its power in real time and twenty times as fast: over the wire, the same ranges in lab time.

Each run is a twin of its own, watched by a client that knows nothing but the API of a surviving node.
"""

import concurrent.futures
import functools
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.built import build
from lab.twin import control_url
from tests.lab.test_failover import SITE_OFF
from tests.twin import EXAMPLE, TwinThread

pytestmark = pytest.mark.realtime

SITE_B = "pxmx02-01"
# What a client sees late: its own polling, and at speed 20 the time a call takes.
SLACK = 4.0
# speed -> second octet of the twin's addresses; all runs go side by side.
RUNS = {(master, speed): net for net, (master, speed) in enumerate([(m, s) for s in (1.0, 20.0) for m in "ab"], 201)}


class Client:
    """Looks at one node, several times in a lab second."""

    def __init__(self, twin: TwinThread) -> None:
        self._twin = twin
        node = twin.inventory.node(SITE_B)
        self._base = f"https://{node.address}:{twin.inventory.api.port}/api2/json"
        self._session = requests.Session()
        self._session.trust_env = False  # a bundle named in the environment would win over the lab's own CA
        self._session.verify = str(twin.path.parent / "secrets" / "ca.pem")
        secret = (twin.path.parent / "secrets" / "pve.token").read_text().strip()
        self._session.headers["Authorization"] = f"PVEAPIToken={twin.inventory.api.token_id}={secret}"

    def get(self, path: str) -> Any:
        return self._session.get(self._base + path, timeout=30).json()["data"]

    def lab_time(self) -> float:
        return float(requests.get(f"{control_url(self._twin.inventory)}/status", timeout=10).json()["time"])

    def until(self, path: str, condition, limit: float) -> float:
        """The lab time at which an answer first was so."""
        deadline = self.lab_time() + limit
        while not condition(self.get(path)):
            assert self.lab_time() < deadline, f"{path} did not change in {limit:.0f} lab seconds: {self.get(path)}"
            time.sleep(0.02)
        return self.lab_time()


def play(folder: Path, master: str, speed: float, net: int) -> dict[str, float]:
    """Lab seconds from the loss to what the client saw."""
    text = EXAMPLE.read_text().replace("127.21.", f"127.{net}.").replace("../var/lab/", "secrets/")
    path = folder / "inventory.yaml"
    path.write_text(text)
    twin = TwinThread(path, speed=20.0)
    try:
        twin.world.cluster.ha.first_master = "pxmx01-01" if master == "a" else SITE_B
        twin.call(build(twin.world))
        client = Client(twin)
        client.until("/cluster/ha/status/current", under_way, 120)
        time.sleep(1)
        order = {"fault": "site-power", "where": ["site-a"]}
        control = control_url(twin.inventory)
        requests.put(f"{control}/speed", json={"speed": speed}, timeout=10)
        lost = client.lab_time()
        assert requests.post(f"{control}/fail", json=order, timeout=10).status_code == 200
        seen = {}
        for what, where, condition, limit in WATCHED:
            seen[what] = client.until(where, condition, limit) - lost
        return seen
    finally:
        twin.stop()


def under_way(entries: list[dict[str, Any]]) -> bool:
    services = [entry for entry in entries if entry["type"] == "service"]
    active = sum("active" in entry["status"] for entry in entries if entry["type"] == "lrm")
    return len(services) == 2 and all(entry["state"] == "started" for entry in services) and active >= 2


def node_states(manager: dict[str, Any]) -> dict[str, str]:
    return dict(manager["manager_status"]["node_status"])


WATCHED = (
    ("settled", "/cluster/status", lambda rows: sum(r.get("online", 0) for r in rows) == 3, 30),
    ("unknown", "/cluster/ha/status/manager_status", lambda m: node_states(m)["pxmx01-03"] == "unknown", 150),
    (
        "recovered", "/cluster/ha/status/current",
        lambda rows: all(row["node"] > "pxmx02" for row in rows if row["type"] == "service"), 220,
    ),
    (
        "running", "/cluster/resources?type=vm",
        lambda rows: all(row["node"] > "pxmx02" and row["status"] == "running" for row in rows if row["vmid"] >= 300),
        60,
    ),
)  # fmt: skip


@functools.cache
def results(folder: Path) -> dict[tuple[str, float], dict[str, float]]:
    """All runs, side by side: each mostly waits."""
    with concurrent.futures.ThreadPoolExecutor(len(RUNS)) as pool:
        began = {}
        for (master, speed), net in RUNS.items():
            own = folder / f"{master}-{speed:g}"
            own.mkdir()
            began[master, speed] = pool.submit(play, own, master, speed, net)
        return {run: future.result() for run, future in began.items()}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("timed")


@pytest.mark.parametrize(("master", "speed"), list(RUNS))
def test_the_loss_of_a_site_takes_the_same_lab_time_at_any_speed(folder: Path, master: str, speed: float):
    """Votes, HA's view, recovery and running guests fall into the ranges of the timeline."""
    seen = results(folder)[master, speed]
    print({what: round(value, 1) for what, value in seen.items()})

    late = {what: (value, SITE_OFF[master][what]) for what, value in seen.items()
            if not SITE_OFF[master][what][0] <= value <= SITE_OFF[master][what][1] + SLACK}  # fmt: skip
    assert late == {}
