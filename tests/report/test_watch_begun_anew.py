"""The report of a fault whose watch was stopped and begun anew: the new one has seen nothing of it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.client import Client

from activities.clients.signatures import new_key
from cluster.audit.line import Line
from tests.report.recorded import later, lines
from workers.audit.histories import Remade
from workers.audit.store import Store
from workers.report import reading
from workers.report.reading import anew, kept
from workers.report.written import drawn

FAULT, WATCH = lines("0.2/incident-explained"), lines("0.2/watch-of-both")
RUN = FAULT[0].run
DAY = timedelta(days=1)


def again(by: timedelta) -> list[Line]:
    """The watch of that cluster, begun so much later."""
    return later(WATCH, by)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def filed(folder: Path, *records: Sequence[Line]) -> None:
    """Signed records, as a worker's keeper has them."""
    store = Store(folder, new_key(), "pxmx-cluster")
    for number, known in enumerate(records):
        record = store.record(known[0].run, f"{number}-{known[0].data['first_execution']}")
        record.append(known)
        store.sign(record)
    store.close()


def sources(found: reading.Found | None) -> list[tuple[str, str]]:
    """Which records the report was made from, and what is known of them."""
    assert found is not None
    return [(one.runbook, one.verified) for one in found.report.sources]


def test_a_watch_that_began_after_the_fault_is_no_source_of_its_report(folder: Path):
    """It has looked at another day; what the incident says itself is told as ever."""
    filed(folder, FAULT, again(DAY))
    found = kept(folder, RUN)

    assert sources(found) == [("ClusterIncident", "yes: all 22 lines are signed, head 0")]
    assert found is not None
    assert (found.report.title, found.report.doubt) == ("Incident: witness lost (qdevice)", "")
    assert found.report.sentences[1:3] == (
        "The verdict was reached at 00:51:53 UTC, and the incident ended at 00:52:00 UTC, after 1 min 5 s of the "
        "cluster's time.",
        "This record holds no outage of a guest.",
    )
    assert drawn(found.report, "md").startswith("# Incident: witness lost")


def test_the_watch_that_saw_it_is_told_of_and_not_the_one_that_came_after(folder: Path):
    """Both have one id; the proof that is named is that of the one which was read."""
    filed(folder, again(DAY), FAULT, WATCH)

    assert sources(kept(folder, RUN)) == [
        ("ClusterIncident", "yes: all 22 lines are signed, head 1"),
        ("ClusterWatch", "yes: all 35 lines are signed, head 2"),
    ]


async def test_from_temporal_too_the_watch_of_another_day_is_left_out(monkeypatch: pytest.MonkeyPatch):
    """Temporal knows the newest watch of that id: the one that was begun anew."""
    histories = {RUN: FAULT, WATCH[0].run: again(DAY)}

    async def described(client: Client, run: str) -> SimpleNamespace:
        return SimpleNamespace(id=run, run_id="newest")

    async def remade(client: Client, run: str, newest: str) -> Remade:
        return Remade(newest, [newest], list(histories[run]))

    monkeypatch.setattr(reading, "described", described)
    monkeypatch.setattr(reading, "remade", remade)
    nobody = cast(Client, None)  # both that would ask it are said above

    assert sources(await anew(nobody, RUN)) == [("ClusterIncident", reading.ANEW)]
