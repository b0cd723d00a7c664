"""When each alert fires and when it does not, played by promtool; and real programs that read all files."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.metrics.files import ALERTS, CONFIG, DASHBOARD, dashboard, program, queries, rules, without_words

pytestmark = pytest.mark.slow

CLUSTER = 'cluster="metro"'
LOST = f'quorate_conditions{{{CLUSTER},kind="site-lost",site="site-a",planned="no"}}'
# What is so for a while, sampled each 15 seconds; then which alert says what of it, at which minute.
CASES: list[tuple[str, dict[str, str], str, list[dict[str, str]]]] = [
    ("QuorateSiteLost", {LOST: "0x8 1x20"}, "3m", [{"site": "site-a", "kind": "site-lost", "severity": "critical"}]),
    ("QuorateSiteLost", {LOST.replace('"no"', '"yes"'): "1x20"}, "3m", []),
    ("QuorateSiteLost", {LOST: "1x4 0x20"}, "3m", []),
    ("QuorateStopped", {f'quorate_conditions{{{CLUSTER},kind="quorum-lost",site="",planned="no"}}': "1x20"}, "1m",
     [{"kind": "quorum-lost", "severity": "critical"}]),
    ("QuorateNodeLost", {f'quorate_conditions{{{CLUSTER},kind="node-lost",site="",planned="no"}}': "1x20"}, "1m",
     [{"severity": "critical"}]),
    ("QuorateDegraded", {f'quorate_conditions{{{CLUSTER},kind="witness-lost",site="",planned="no"}}': "1x60"},
     "9m", []),
    ("QuorateDegraded", {f'quorate_conditions{{{CLUSTER},kind="witness-lost",site="",planned="no"}}': "1x60"}, "11m",
     [{"kind": "witness-lost", "severity": "warning"}]),
    ("QuorateDegraded", {f'quorate_conditions{{{CLUSTER},kind="healthy",site="",planned="no"}}': "1x60"}, "11m", []),
    ("QuorateSwitchesOutstanding", {f'quorate_switches_disabled{{{CLUSTER},held="no"}}': "2x200"}, "35m",
     [{"severity": "warning"}]),
    ("QuorateSwitchesOutstanding", {f'quorate_switches_disabled{{{CLUSTER},held="yes"}}': "2x200"}, "35m", []),
    ("QuorateRightsMissing", {f'quorate_ready{{{CLUSTER},check="rights"}}': "0x300"}, "65m", [{"severity": "warning"}]),
    ("QuorateUnwatched", {f'quorate_ready{{{CLUSTER},check="watched"}}': "1x8 0x20"}, "6m", [{"severity": "critical"}]),
    ("QuorateUnwatched", {f'quorate_ready{{{CLUSTER},check="watched",instance="old"}}': "0x40",
                          f'quorate_ready{{{CLUSTER},check="watched",instance="new"}}': "1x40"}, "6m", []),
    ("QuorateWatchSilent", {f"quorate_watch_look_timestamp_seconds{{{CLUSTER}}}": "0+15x8 120x20"}, "6m",
     [{"severity": "critical"}]),
    ("QuorateWatchSilent", {f"quorate_watch_look_timestamp_seconds{{{CLUSTER}}}": "0+15x40"}, "6m", []),
    ("QuorateFactsOld", {f'quorate_fact_timestamp_seconds{{{CLUSTER},vantage="pve1",how="ssh"}}': "0x60"}, "9m",
     [{"vantage": "pve1", "how": "ssh", "severity": "warning"}]),
    ("QuorateFactsOld", {f'quorate_fact_timestamp_seconds{{{CLUSTER},vantage="pve1",how="bmc"}}': "0x60"}, "9m", []),
    ("QuorateFactsOld", {f'quorate_fact_timestamp_seconds{{{CLUSTER},vantage="pve1",how="ssh"}}': "0x60",
                         LOST: "1x60"}, "9m", []),
    ("QuorateRunNeedsPerson", {f'quorate_runs_open{{{CLUSTER},runbook="deploy",state="attention"}}': "1x40"}, "6m",
     [{"runbook": "deploy", "severity": "warning"}]),
    ("QuorateGateExpires", {f'quorate_gate_closes_timestamp_seconds{{{CLUSTER},runbook="failback"}}': "7200x600"},
     "70m", [{"runbook": "failback", "severity": "warning"}]),
    ("QuorateGateExpires", {f'quorate_gate_closes_timestamp_seconds{{{CLUSTER},runbook="failback"}}': "7200x600"},
     "50m", []),
    ("QuorateGateExpires", {f'quorate_gate_closes_timestamp_seconds{{{CLUSTER},runbook="failback"}}': "0x600"},
     "70m", []),
    ("QuorateGatewayUnavailable",
     {f'quorate_gateway_refused_total{{{CLUSTER},source="pve",reason="unavailable"}}': "0x4 0+1x60"}, "9m",
     [{"source": "pve", "severity": "critical"}]),
    ("QuorateGatewayRefuses",
     {f'quorate_gateway_refused_total{{{CLUSTER},source="pve",reason="unauthorized"}}': "0x4 0+1x60"}, "9m",
     [{"source": "pve", "reason": "unauthorized", "severity": "warning"}]),
    ("QuorateGatewayRefuses",
     {f'quorate_gateway_refused_total{{{CLUSTER},source="pve",reason="unauthorized"}}': "0x4 1x60"}, "9m", []),
    ("QuorateWorkerGone", {f'quorate_build_info{{{CLUSTER},program="gateway"}}': "1x20"}, "4m",
     [{"severity": "critical"}]),
    ("QuorateWorkerGone", {f'quorate_build_info{{{CLUSTER},program="up"}}': "1x20"}, "4m", []),
    ("QuorateProcessDown", {'up{job="quorate",instance="a:9464"}': "0x20"}, "4m",
     [{"job": "quorate", "instance": "a:9464", "severity": "warning"}]),
    ("QuorateTemporalUnreachable", {f"quorate_survey_timestamp_seconds{{{CLUSTER}}}": "0+15x4 60x20"}, "6m",
     [{"severity": "critical"}]),
    # the first failure is told although nothing was there before to grow from
    ("QuorateTemporalTaskFailures",
     {f'temporal_workflow_task_execution_failed{{{CLUSTER},workflow_type="SiteLoss"}}': "_x8 1x20"}, "4m",
     [{"workflow_type": "SiteLoss", "severity": "critical"}]),
    ("QuorateTemporalTaskFailures",
     {f'temporal_workflow_task_execution_failed{{{CLUSTER},workflow_type="SiteLoss"}}': "1x200"}, "30m", []),
    ("QuorateWorkersTooFew",
     {f'temporal_activity_schedule_to_start_latency_bucket{{{CLUSTER},le="{le}"}}': f"0+{n}x80"
      for le, n in (("1", 0), ("5", 0), ("10", 10), ("+Inf", 10))}, "15m", [{"severity": "warning"}]),
    ("QuorateWorkersTooFew",
     {f'temporal_activity_schedule_to_start_latency_bucket{{{CLUSTER},le="{le}"}}': f"0+{n}x80"
      for le, n in (("1", 10), ("5", 10), ("10", 10), ("+Inf", 10))}, "15m", []),
    ("QuorateBuildsDiffer", {f'quorate_build_info{{{CLUSTER},version="0.2.0"}}': "1x300",
                             f'quorate_build_info{{{CLUSTER},version="0.3.0"}}': "1x300"},
     "65m", [{"severity": "info"}]),
]  # fmt: skip
# Alerts without the label of a cluster: what is absent has none, and `up` is Prometheus' own.
ALONE = ("QuorateWorkerGone", "QuorateProcessDown")


def played(path: Path, tests: list[dict[str, Any]], rule_file: Path) -> None:
    """By `promtool test rules`; what it says when it finds something else."""
    path.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], "evaluation_interval": "15s", "tests": tests}))
    asked(program("promtool"), "test", "rules", path)


def asked(*words: str | Path) -> str:
    """The answer of a program, which must be content."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_alert_fires_when_it_should_and_not_else(tmp_path: Path):
    """Every alert of the file is played; none of them was forgotten."""
    tests = [
        {
            "name": f"{name} at {at}",
            "interval": "15s",
            "input_series": [{"series": series, "values": values} for series, values in seen.items()],
            "alert_rule_test": [
                {
                    "eval_time": at,
                    "alertname": name,
                    "exp_alerts": [
                        {"exp_labels": labels if name in ALONE else {"cluster": "metro", **labels}} for labels in fires
                    ],
                }
            ],
        }
        for name, seen, at, fires in CASES
    ]
    played(tmp_path / "tests.yaml", tests, without_words(tmp_path))
    assert {name for name, _, _, fires in CASES if fires} == {rule["alert"] for rule in rules()}


def test_an_alert_reads_as_a_sentence(tmp_path: Path):
    """Its words with the labels and the value filled in."""
    seen = {f"quorate_watch_look_timestamp_seconds{{{CLUSTER}}}": "0+15x8 120x20"}
    expected = {
        "exp_labels": {"cluster": "metro", "severity": "critical"},
        "exp_annotations": {
            "summary": "metro was not looked at for 4m 0s",
            "description": "A loss would be noticed late. `quorate status` says since when and why. "
            "Is a worker running, and does Temporal answer it? Restart the worker; the watch goes on by itself.",
        },
    }
    test = {
        "interval": "15s",
        "input_series": [{"series": series, "values": values} for series, values in seen.items()],
        "alert_rule_test": [{"eval_time": "6m", "alertname": "QuorateWatchSilent", "exp_alerts": [expected]}],
    }
    played(tmp_path / "tests.yaml", [test], ALERTS)


def test_promtool_takes_the_rules_the_config_and_every_query_of_the_dashboard(tmp_path: Path):
    """The queries as rules, with the words of Grafana filled in."""
    shown = [query.replace("$__rate_interval", "5m").replace("$cluster", ".+") for query in queries()]
    recorded = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(shown)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))

    assert f"SUCCESS: {len(rules())} rules found" in asked(program("promtool"), "check", "rules", ALERTS)
    assert "is valid prometheus config file" in asked(program("promtool"), "check", "config", CONFIG)
    assert f"SUCCESS: {len(shown)} rules" in asked(program("promtool"), "check", "rules", tmp_path / "queries.yaml")


def test_grafana_knows_every_field_of_the_dashboard():
    """Its own published types read it strictly; a Go toolchain is needed."""
    folder = Path(__file__).parent / "grafana"

    assert asked(program("go"), "run", "-C", folder, ".", DASHBOARD) == f"{len(dashboard()['panels'])} panels\n"
