"""The files for Prometheus and Grafana that come with Quorate, and the programs that read them for good."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from cluster.metrics import TABLE
from tests.rooms import ROOT

FOLDER = ROOT / "examples" / "monitoring"
DASHBOARD, ALERTS, CONFIG = FOLDER / "dashboard.json", FOLDER / "alerts.yaml", FOLDER / "prometheus.yaml"
# `make test-metrics` puts it there.
OWN = ROOT / ".prometheus" / "usr" / "bin"
# Names of the SDK that the files use. The first four are told by every worker, the others once something has failed.
TOLD = (
    "temporal_activity_schedule_to_start_latency",
    "temporal_workflow_task_schedule_to_start_latency",
    "temporal_worker_task_slots_available",
)
FAILURES = ("temporal_workflow_task_execution_failed", "temporal_activity_execution_failed", "temporal_request_failure")
PARTS = re.compile(r"_(bucket|sum|count)$")


def dashboard() -> dict[str, Any]:
    """As Grafana reads it."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Those that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """What the panels ask for."""
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def groups() -> list[dict[str, Any]]:
    """The groups of alert rules."""
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"]
    return found


def rules() -> list[dict[str, Any]]:
    """All alert rules."""
    return [rule for group in groups() for rule in group["rules"]]


def used(queries: list[str]) -> set[str]:
    """The metrics that these ask for; of a histogram without the part."""
    histograms = {metric.name for metric in TABLE if metric.kind == "histogram"} | set(TOLD)
    found = {name for query in queries for name in re.findall(r"\b(?:quorate|temporal)_\w+", query)}
    return {whole if (whole := PARTS.sub("", name)) in histograms else name for name in found}


def program(name: str) -> str:
    """Where it is; the test fails where it is not."""
    path = shutil.which(name, path=f"{OWN}{os.pathsep}{os.environ['PATH']}")
    assert path is not None, f"{name} is not at hand: `make test-metrics` gets it"
    return path


def without_words(folder: Path) -> Path:
    """The alert rules without what people read: for tests of when they fire."""
    bare = [{**group, "rules": [{**rule, "annotations": {}} for rule in group["rules"]]} for group in groups()]
    path = folder / "alerts.yaml"
    path.write_text(yaml.safe_dump({"groups": bare}))
    return path
