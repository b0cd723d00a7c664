"""The embedded Temporal server: it comes from somewhere, it keeps what it knows, it ends when told."""

import os
import re
from pathlib import Path

import pytest

from workers.errors import Unusable
from workers.temporal import binary as temporal_binary
from workers.temporal.bootstrap import KEPT, kept_warning, retention
from workers.temporal.embedded import TemporalServer, free_port
from workflows import attributes


async def test_runs_survive_a_restart_of_the_server(tmp_path: Path):
    """The SQLite file keeps runs and their history; the search attributes are there again."""
    server = TemporalServer(database=tmp_path / "t.db", port=free_port(), ui_port=None, log=tmp_path / "log")
    client = await server.start()
    await client.start_workflow("DeployStretchedCluster", id="kept", task_queue="nobody")
    await server.stop()

    client = await server.start()
    try:
        described = await client.get_workflow_handle("kept").describe()
        assert described.workflow_type == "DeployStretchedCluster"
    finally:
        await server.stop()


async def test_a_port_that_is_in_use_is_named(tmp_path: Path):
    """The second server says which port, and what to do."""
    port = free_port()
    first = TemporalServer(database=None, port=port, ui_port=None, log=tmp_path / "1")
    await first.start()
    try:
        with pytest.raises(Unusable, match=f"port {port} is in use"):
            await TemporalServer(database=None, port=port, ui_port=None, log=tmp_path / "2").start()
    finally:
        await first.stop()


async def test_it_ends_when_told(tmp_path: Path):
    """No process is left behind."""
    server = TemporalServer(database=None, port=free_port(), ui_port=None, log=tmp_path / "log")
    await server.start()
    pid = server.pid
    await server.stop()

    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_without_any_source_the_three_ways_out_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No binary, no cache, no download host, no Go: one error with three remedies."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(temporal_binary, "DOWNLOAD_HOST", "nowhere.invalid")
    told: list[str] = []

    with pytest.raises(Unusable) as caught:
        await temporal_binary.obtain(told.append)

    assert told == ["nowhere.invalid is not reached from here"]
    remedies = ("on PATH", "reach https://nowhere.invalid", "install Go")
    assert [remedy for remedy in remedies if remedy not in caught.value.remedy] == []


async def test_a_binary_on_path_is_taken_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the operator installed wins."""
    own = tmp_path / "temporal"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert temporal_binary.find() == own


def test_the_compose_file_registers_every_search_attribute():
    """A run that sets one which the server does not know would fail."""
    compose = (Path(__file__).parents[2] / "docker-compose.yml").read_text()

    assert re.findall(r"--search-attribute=(\w+)=Keyword", compose) == [key.name for key in attributes.ALL]


async def test_runs_that_have_ended_are_kept_for_more_than_a_year(tmp_path: Path):
    """An auditor asks later than Temporal's own day; set once, and again after a restart."""
    server = TemporalServer(database=tmp_path / "t.db", port=free_port(), ui_port=None, log=tmp_path / "log")
    for _ in range(2):
        client = await server.start()
        try:
            assert server.kept == await retention(client) == KEPT
            assert await kept_warning(client) == ""
        finally:
            await server.stop()
