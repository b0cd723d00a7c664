"""Bodies of senders that are not ours to choose: Grafana's, and others' next versions."""

import json
from typing import Any

import pytest

from cluster.events import Event
from tests.cases.inputs import data
from tests.workers.test_gateway_bodies import ALERTMANAGER, CLOUD, JSON, PURITY, PVE
from workers.gateway.bodies import read


def taken(kind: str, body: Any) -> tuple[Event, ...]:
    return read(kind, "it", JSON, json.dumps(body).encode())


def alerts(**change: Any) -> dict[str, Any]:
    """Alertmanager's body of one alert with a change; what is None without a value is left out."""
    return ALERTMANAGER | {"alerts": [ALERTMANAGER["alerts"][0] | change]}  # type: ignore[index]


def test_grafanas_webhook_is_one_event():
    """It counts its versions for itself."""
    case = data("grafana-webhook.json")

    (event,) = read(case["source_kind"], "it", case["headers"], json.dumps(case["body"]).encode())

    assert (event.subject, event.kind, event.severity) == ("10.31.1.11:9100", "NodeDown", "critical")
    assert event.text == "firing: node hz1-01 is down"
    assert event.at is not None
    assert event.at.isoformat() == "2026-03-03T02:11:07.926076+01:00"


@pytest.mark.parametrize(
    ("kind", "body", "about"),
    [
        ("alertmanager", ALERTMANAGER | {"version": 5}, ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", {"alerts": ALERTMANAGER["alerts"]}, ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", ALERTMANAGER | {"groupKey": None}, ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(annotations=None), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(annotations=[]), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(endsAt=None, startsAt=1770091506), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(startsAt=None), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(startsAt="yesterday"), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(labels=None), ("alert", "", "")),
        ("alertmanager", alerts(labels={"node": 7, "severity": 2, "alertname": True}), ("true", "7", "2")),
        ("alertmanager", alerts(fingerprint=17, status="pending"), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("alertmanager", alerts(values={"B": 1}, later={"x": []}), ("NodeDown", "pxmx01-01:9100", "critical")),
        ("cloudevents", CLOUD | {"severity": 3}, ("org.example.power.lost", "pdu-3", "3")),
        (
            "cloudevents",
            CLOUD | {"severity": True, "subject": None},
            ("org.example.power.lost", "/power/site-a", "true"),
        ),
        ("cloudevents", CLOUD | {"severity": 2.5, "more": {}}, ("org.example.power.lost", "pdu-3", "2.5")),
        ("cloudevents", CLOUD | {"severity": None}, ("org.example.power.lost", "pdu-3", "")),
        ("cloudevents", CLOUD | {"severity": ["x"]}, ("org.example.power.lost", "pdu-3", "")),
        ("purity", PURITY | {"severity": 4, "code": "122"}, ("alert 122", "webb-ac-proxmox-01", "4")),
        ("purity", PURITY | {"component_name": None, "summary": {}}, ("alert 122", "", "warning")),
        ("purity", PURITY | {"created": "soon"}, ("alert 122", "webb-ac-proxmox-01", "warning")),
        ("purity", PURITY | {"created": -1}, ("alert 122", "webb-ac-proxmox-01", "warning")),
        ("purity", PURITY | {"created": None}, ("alert 122", "webb-ac-proxmox-01", "warning")),
        ("cloudevents", CLOUD | {"time": "yesterday"}, ("org.example.power.lost", "pdu-3", "")),
        ("cloudevents", CLOUD | {"time": 1770091506}, ("org.example.power.lost", "pdu-3", "")),
        ("cloudevents", CLOUD | {"time": {}}, ("org.example.power.lost", "pdu-3", "")),
        ("pve", PVE | {"fields": None}, ("notification", "", "error")),
        ("pve", PVE | {"fields": []}, ("notification", "", "error")),
        ("pve", PVE | {"severity": None, "message": 7}, ("fencing", "pxmx01-01", "")),
        ("pve", PVE | {"severity": None, "message": 3, "later": 1}, ("fencing", "pxmx01-01", "")),
        ("pve", PVE | {"fields": {"type": "fencing", "hostname": 12, "x": None}}, ("fencing", "12", "error")),
    ],
)
def test_only_what_is_needed_is_asked_for(kind: str, body: Any, about: tuple[str, str, str]):
    """A sender's next version must not be refused while a site is burning."""
    event = taken(kind, body)[0]

    assert (event.kind, event.subject, event.severity) == about


def test_an_alert_that_fires_again_is_another_one():
    """Whatever its sender's clock writes."""
    times = ["2026-02-03T04:05:06Z", "2026-02-03T05:05:06Z", 1770091507, 1770091508, "yesterday", None]

    assert len({taken("alertmanager", alerts(startsAt=time))[0].id for time in times}) == len(times)
