"""What stands at one place stays there; what is told does not change what is done."""

import os
import subprocess
import sys
from pathlib import Path

from cluster.traces import root_of, trace_of, traceparent

ROOT = Path(__file__).parents[2]
OURS = ("cluster", "activities", "workflows", "runbooks", "workers", "lab")


def test_one_module_knows_the_experimental_plugin():
    """A change of it meets that module alone."""
    files = [file for folder in OURS for file in (ROOT / folder).rglob("*.py")]
    found = [str(file.relative_to(ROOT)) for file in files if "temporalio.contrib.opentelemetry" in file.read_text()]

    assert found == ["workers/telemetry/plugin.py"]


def test_a_trace_follows_from_the_id_of_a_run():
    """By hand: printf %s RUN_ID | sha256sum | cut -c1-32."""
    trace = trace_of("01a221b1-309f-796c-ae0a-068bfc3e43ef")

    assert trace == "27e807869d741206ec048c8011b9a799"
    assert traceparent(trace) == f"00-{trace}-{root_of(trace)}-01"


def test_a_command_that_traces_nothing_does_not_load_the_plugin():
    """Whoever starts a run from the command line does not wait for it."""
    asks = "import sys, workers.temporal.connect; print('temporalio.contrib.opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout == "False\n"


def test_telemetry_can_be_turned_off():
    """By the variable that everybody knows."""
    asks = (
        "from workers.settings import Settings; from workers.telemetry import wired; "
        "from workers.telemetry.tracing import tracing; print(tracing(Settings()), wired.plugins)"
    )
    given = os.environ | {"OTEL_SDK_DISABLED": "true"}
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True, cwd=ROOT, env=given)

    assert done.stdout == "False []\n"
