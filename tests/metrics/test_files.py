"""Dashboard and alert rules ask for what there is, and say what to do; real checkers read them in a tier of its own."""

import re
from typing import Any

import pytest
import yaml

from cluster.metrics import TABLE
from tests.metrics.files import CONFIG, FAILURES, TOLD, dashboard, panels, queries, rules, used
from tests.metrics.page import BEGIN, DOCS, END, table
from tests.rooms import ROOT
from tests.workers.test_cli_runs import here, said

KNOWN = {metric.name: metric for metric in TABLE}
ASKED = queries() + [rule["expr"] for rule in rules()]
# Labels that the SDK, the process and Prometheus itself put on every line.
EVERYWHERE = {"cluster", "at", "program", "instance", "job", "le", "namespace", "task_queue", "workflow_type"}


def test_every_metric_that_is_asked_for_exists():
    """Those of ours are in the table, those of the SDK are known."""
    assert used(ASKED) <= {*KNOWN, *TOLD, *FAILURES}


def test_every_metric_of_the_table_is_shown():
    """A figure that no panel shows is not worth telling."""
    assert set(KNOWN) <= used(queries())


@pytest.mark.parametrize("query", ASKED)
def test_every_label_that_is_asked_for_exists(query: str):
    """Of the metric that it is asked of."""
    for name, inside in re.findall(r"(quorate_\w+)\{([^}]*)\}", query):
        metric = KNOWN[re.sub(r"_(bucket|sum|count)$", "", name) if name not in KNOWN else name]
        assert set(re.findall(r"(\w+)(?:=|!)", inside)) <= {*metric.labels, *EVERYWHERE}
    # what it is grouped by is a label of one of its metrics
    labels = {label for name in used([query]) if name in KNOWN for label in KNOWN[name].labels} | EVERYWHERE
    grouped = {one.strip() for inside in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for one in inside.split(",")}
    assert grouped <= labels | {"worker_type"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_says_what_is_so_and_what_to_do(rule: dict[str, Any]):
    """One line and a few sentences; a severity; and at least one command, or an address, that begins to help."""
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["alert"].startswith("Quorate")
    assert len(rule["annotations"]["summary"]) < 150
    assert not rule["annotations"]["summary"].endswith(".")
    assert re.search(r"[.!?]$", rule["annotations"]["description"])
    assert re.search(r"`quorate |`QUORATE_|docs/", rule["annotations"]["description"])


def test_each_command_of_an_alert_exists():
    """Whoever copies it at three in the morning gets no usage error."""
    told = {
        command.split(" RUN")[0].split(" -")[0]
        for rule in rules()
        for command in re.findall(r"`quorate ([a-z][^`]*)`", rule["annotations"]["description"])
    }
    first = {command.partition(" ")[0] for command in told if command}
    overview = said(here("--help"))
    assert {word for word in first if not re.search(rf"\b{word}\b", overview)} == set()
    for command in (one for one in told if " " in one):
        group, word = command.split(" ")
        assert re.search(rf"\b{word}\b", said(here(group, "--help")))


def test_each_document_of_an_alert_exists():
    """A page that is named is there."""
    named = {path for rule in rules() for path in re.findall(r"docs/[\w-]+\.md", rule["annotations"]["description"])}
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_the_dashboard_is_of_any_prometheus_and_any_cluster():
    """Its source and its cluster are chosen; each panel has a title, says what it shows, and asks that source."""
    names = [one["name"] for one in dashboard()["templating"]["list"]]
    assert names == ["datasource", "cluster"]
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert target["expr"].count('cluster=~"$cluster"') == len(
                re.findall(r"\b(?:quorate|temporal)_", target["expr"])
            )
            assert all(span == "$__rate_interval" for span in re.findall(r"\[([^\]]+)\]", target["expr"]))
            assert target["expr"].count("[") == len(re.findall(r"\b(?:rate|increase)\(", target["expr"]))


def test_no_two_panels_stand_on_each_other():
    """Their ids differ, and so do the places that they take."""
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken = [
        (x, y)
        for panel in every
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


def test_the_table_of_the_docs_is_that_of_the_code():
    """`python -m tests.metrics.page` writes it."""
    text = DOCS.read_text()
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip() == table()


def test_the_files_stand_in_the_compose_file():
    """`docker compose --profile monitoring up` reads the same files."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounted = [one.split(":")[0] for service in services.values() for one in service.get("volumes", ())]
    assert {path for path in mounted if path.startswith("./") and not (ROOT / path).exists()} == set()
    assert "./examples/monitoring/dashboard.json" in mounted
    assert yaml.safe_load(CONFIG.read_text())["rule_files"] == ["alerts.yaml"]
