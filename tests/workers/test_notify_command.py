"""`quorate notify`: receivers are listed, and a test says who takes a notice and who does not."""

import json
from pathlib import Path

from tests.receivers import Receiver
from tests.twin import inventory_file
from tests.workers.test_cli_runs import here, said


def inventory(folder: Path, *receivers: tuple[str, str]) -> str:
    """An inventory with these receivers, by name and address."""
    path = inventory_file(folder)
    rows = "".join(f"  - {{name: {name}, webhook: '{url}'}}\n" for name, url in receivers)
    path.write_text(path.read_text() + ("\nnotify:\n" + rows if rows else ""))
    return str(path)


def test_a_test_notice_says_who_takes_it(tmp_path: Path):
    """One takes it, the other refuses; a script sees that, and the notice asks nothing of its reader."""
    well, ill = Receiver(), Receiver()
    ill.status = 403
    shell = {"QUORATE_INVENTORY": inventory(tmp_path, ("duty", well.url), ("chat", ill.url))}
    try:
        text = said(here("notify", "test", **shell), 1)
        alone = said(here("notify", "test", "duty", **shell))
    finally:
        well.stop()
        ill.stop()

    assert "✓ duty has taken the test notice" in text
    assert f"✗ chat: Rejected: 127.0.0.1:{ill.port} says HTTP 403" in text
    assert alone == "✓ duty has taken the test notice\n"
    notice = json.loads(well.got[0][1])
    assert (notice["title"], notice["urgency"], notice["tasks"]) == ("Test notice", "nothing", [])


def test_receivers_are_listed(tmp_path: Path):
    """With what each wants to know."""
    shell = {"QUORATE_INVENTORY": inventory(tmp_path, ("duty", "https://duty.example/hook"))}

    assert said(here("notify", "list", **shell)).startswith("duty  json  opened, quorum, fenced")


def test_who_is_not_there_is_told_with_who_is(tmp_path: Path):
    """A slip in the name, and an inventory without receivers."""
    (tmp_path / "two").mkdir()
    shell = {"QUORATE_INVENTORY": inventory(tmp_path, ("duty", "https://duty.example/hook"))}
    none = {"QUORATE_INVENTORY": inventory(tmp_path / "two")}

    assert "the inventory has no receiver 'dutty'" in said(here("notify", "test", "dutty", **shell), 2)
    assert "the inventory names no receiver" in said(here("notify", "test", **none), 2)
