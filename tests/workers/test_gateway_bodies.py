"""What senders send becomes events, or is refused in words that name the field: never anything else."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.events import Event, EventBatch
from workers.gateway.bodies import BATCHED, STRUCTURED, read
from workers.gateway.fields import identity, line
from workers.gateway.refusals import Refused

PVE = {
    "source": "pve",
    "title": "Trying to fence node 'pxmx01-01' ",
    "message": "The node 'pxmx01-01' failed and needs manual intervention.\n\nStatus: fence\nTimestamp: 2026-02-03",
    "severity": "error",
    "timestamp": 1770091506,
    "fields": {"type": "fencing", "hostname": "pxmx01-01"},
}
ALERTMANAGER = {
    "version": "4",
    "groupKey": '{}:{alertname="NodeDown"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "quorate",
    "groupLabels": {"alertname": "NodeDown"},
    "commonLabels": {"alertname": "NodeDown", "severity": "critical"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "NodeDown", "instance": "pxmx01-01:9100", "severity": "critical"},
            "annotations": {"summary": "pxmx01-01 has not been scraped for 2 minutes"},
            "startsAt": "2026-02-03T04:05:06.739266876Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "d1bba4a5fd5d6c0a",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "NodeDown", "node": "pxmx01-02"},
            "annotations": {},
            "startsAt": "2026-02-03T04:05:06+02:00",
            "endsAt": "2026-02-03T05:00:00Z",
            "fingerprint": "a0b1c2d3e4f50617",
        },
    ],
}
PURITY = {
    "id": "5a1c0d3e-0000-4000-8000-00000000007a",
    "name": "1734",
    "code": 122,
    "severity": "warning",
    "state": "open",
    "category": "array",
    "component_type": "pod",
    "component_name": "webb-ac-proxmox-01",
    "summary": "ActiveCluster mediator unreachable",
    "created": 1770091506123,
    "flagged": True,
}
CLOUD = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/power/site-a",
    "type": "org.example.power.lost",
    "subject": "pdu-3",
    "time": "2026-02-03T04:05:06Z",
    "data": {"volts": 0},
}
REAL: dict[str, Any] = {"pve": PVE, "alertmanager": ALERTMANAGER, "purity": PURITY, "cloudevents": CLOUD}
JSON = {"content-type": "application/json"}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(sorted(REAL))

# No object, and false in Python: it is as wrong as any other.
LABELLED_WRONGLY = {"alerts": [{"fingerprint": "1", "status": "firing", "labels": False}]}


def taken(kind: str, body: Any, headers: Mapping[str, str] = JSON) -> tuple[Event, ...]:
    return read(kind, "it", headers, json.dumps(body).encode())


def cleanly(kind: str, body: bytes, headers: Mapping[str, str] = JSON) -> None:
    """Events that travel, or a refusal that names the place."""
    events: tuple[Event, ...] = ()
    said = None
    try:
        events = read(kind, "it", headers, body)
    except Refused as refused:
        said = refused
    if said is not None:
        assert said.status in (400, 415, 422)
        assert said.refusal.field
        assert said.refusal.remedy
    there = EventBatch.model_validate_json(EventBatch(events=events).model_dump_json())
    assert there.events == events
    assert all(event.id for event in events)


def test_a_fencing_says_which_node_and_how_far():
    """The node, the phase and the time; the rest of the prose stays outside."""
    (event,) = taken("pve", PVE)

    assert event.model_dump(mode="json") == {
        "id": "fencing/pxmx01-01/trying/5900305",
        "source": "it",
        "kind": "fencing",
        "subject": "pxmx01-01",
        "severity": "error",
        "text": "Trying to fence",
        "at": "2026-02-03T04:05:06Z",
    }


def test_both_phases_of_a_fencing_are_events_and_their_repetitions_are_not():
    """Six requests of a site's loss are six events, however often each is sent."""
    ids = {
        taken("pve", PVE | {"title": title, "timestamp": 1770091506 + late})[0].id
        for title in ("Trying to fence node 'pxmx01-01' ", "Successfully fenced node 'pxmx01-01' ")
        for late in (0, 1, 7)
    }

    assert ids == {"fencing/pxmx01-01/trying/5900305", "fencing/pxmx01-01/successfully/5900305"}


def test_a_target_can_be_tested():
    """PVE's own test notification has no fields; it is taken, so that a person sees that the way is open."""
    (event,) = taken("pve", PVE | {"title": "Test notification", "severity": "info", "fields": {}})

    assert (event.kind, event.subject, event.text) == ("notification", "", "")


def test_alertmanager_sends_many_at_once():
    """Each alert is an event; its state is part of what it says and of its id."""
    first, second = taken("alertmanager", ALERTMANAGER)

    assert (first.kind, first.subject, first.severity) == ("NodeDown", "pxmx01-01:9100", "critical")
    assert first.text == "firing: pxmx01-01 has not been scraped for 2 minutes"
    assert first.id == "d1bba4a5fd5d6c0a/2026-02-03T04:05:06.739266+00:00/firing"
    assert (second.subject, second.text) == ("pxmx01-02", "resolved")


def test_an_alert_of_purity_may_say_little():
    """Only the id is needed; what is there is used."""
    (whole,) = taken("purity", PURITY)
    (little,) = taken("purity", {"id": 7})

    assert (whole.kind, whole.subject) == ("alert 122", "webb-ac-proxmox-01")
    assert whole.text == "open: ActiveCluster mediator unreachable"
    assert (little.kind, little.at) == ("alert", None)


def test_an_alert_that_closes_is_another_event_than_the_one_that_opened():
    """And a number that two arrays give stays two."""
    bodies = [PURITY, PURITY | {"state": "closed"}, PURITY | {"component_name": "other"}, PURITY | {"flagged": False}]

    assert len({taken("purity", body)[0].id for body in bodies}) == 3


def test_cloudevents_come_in_three_forms():
    """Structured, batched and in headers: the same event."""
    attributes = {f"ce-{name}": str(value) for name, value in CLOUD.items() if name != "data"}
    structured = taken("cloudevents", CLOUD, {"content-type": f"{STRUCTURED}; charset=utf-8"})
    batched = taken("cloudevents", [CLOUD, CLOUD], {"content-type": BATCHED})
    binary = read("cloudevents", "it", {"content-type": "text/plain", **attributes}, b"\xff anything")

    assert structured == binary == batched[:1] == batched[1:]
    assert (structured[0].kind, structured[0].subject) == ("org.example.power.lost", "pdu-3")


def test_nothing_is_read_from_headers_that_no_signature_covers():
    """Where requests are signed, binary mode is refused."""
    attributes = {f"ce-{name}": str(value) for name, value in CLOUD.items() if name != "data"}

    with pytest.raises(Refused, match="the Content-Type names no form") as caught:
        read("cloudevents", "it", attributes, b"", signed=True)

    assert caught.value.refusal.remedy == f"send {STRUCTURED} or {BATCHED}"


@pytest.mark.parametrize(
    ("kind", "headers", "change", "status", "field", "error"),
    [
        ("pve", JSON, {"timestamp": "1770091506"}, 422, "timestamp", "timestamp: Input should be a valid number"),
        ("pve", JSON, {"title": ""}, 422, "title", "title: String should have at least 1 character"),
        ("pve", JSON, {"source": "else"}, 422, "source", "source: has a value that is not known here"),
        ("alertmanager", JSON, {"alerts": None}, 422, "alerts", "alerts: Input should be a valid array"),
        ("alertmanager", JSON, {"alerts": [{}]}, 422, "alerts[0].fingerprint", "alerts[0].fingerprint: is missing"),
        (
            "alertmanager",
            JSON,
            LABELLED_WRONGLY,
            422,
            "alerts[0].labels",
            "alerts[0].labels: Input should be an object",
        ),
        ("purity", JSON, {"id": None}, 422, "id", "id: Input should be a valid string"),
        ("purity", JSON, {"id": -1}, 422, "id", "id: Input should be a valid string"),
        ("cloudevents", JSON, {"id": ""}, 422, "id", "id: String should have at least 1 character"),
        ("cloudevents", {"ce-specversion": "1.0"}, {}, 422, "ce-id", "ce-id: is missing"),
        ("cloudevents", {"content-type": "text/plain"}, {}, 415, "Content-Type", "the Content-Type names no form"),
        ("cloudevents", {"content-type": BATCHED}, {}, 422, "body", "body: Input should be a valid array"),
    ],
)
def test_what_is_wrong_is_named(
    kind: str, headers: dict[str, str], change: dict[str, Any], status: int, field: str, error: str
):
    """The field as a dotted path, and what was expected; never what was sent."""
    with pytest.raises(Refused, match=f"^{re.escape(error)}") as caught:
        taken(kind, REAL[kind] | change, headers)

    assert (caught.value.status, caught.value.refusal.field) == (status, field)


@pytest.mark.parametrize("kind", sorted(REAL))
def test_a_body_that_broke_off_is_refused(kind: str):
    """At every place it can break."""
    whole = json.dumps(REAL[kind]).encode()
    for end in range(len(whole)):
        with pytest.raises(Refused, match="the body is not JSON"):
            read(kind, "it", JSON, whole[:end])


@given(kinds, st.binary(max_size=200))
def test_garbage_is_refused(kind: str, body: bytes):
    """Bytes that mean nothing."""
    cleanly(kind, body)


@pytest.mark.parametrize("kind", sorted(REAL))
def test_json_that_was_made_to_hurt_is_refused(kind: str):
    """Endless nesting, huge numbers, half characters, a time before time."""
    for body in (b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b'{"id":"\\ud800"}', b"NaN", b"\xef\xbb\xbf{}", b""):
        cleanly(kind, body)
    cleanly(kind, json.dumps(PVE | {"timestamp": 1e308}).encode())
    cleanly(kind, json.dumps(CLOUD | {"time": "0001-01-01T00:00:00+14:00"}).encode())
    cleanly(kind, json.dumps(PURITY | {"id": "x" * 200_000, "created": 10**15}).encode())


@given(kinds, values)
def test_any_json_is_taken_or_refused(kind: str, body: Any):
    """Whatever a JSON document can be."""
    cleanly(kind, json.dumps(body).encode())


Place = Callable[[Any, Any], Any]


def places(value: Any) -> list[Place]:
    """For everything in a document, a way to put something else in its place."""
    if isinstance(value, dict):
        return [there for key in value for there in (_at(key), *(_below(key, place) for place in places(value[key])))]
    if isinstance(value, list):
        return [_in_the_first(place) for place in places(value[0])]
    return []


def _at(key: str) -> Place:
    return lambda document, new: {**document, key: new}


def _below(key: str, place: Place) -> Place:
    return lambda document, new: {**document, key: place(document[key], new)}


def _in_the_first(place: Place) -> Place:
    return lambda document, new: [place(document[0], new), *document[1:]]


@given(kinds, values, st.data())
def test_a_real_body_with_one_wrong_part_is_taken_or_refused(kind: str, wrong: Any, data: st.DataObject):
    """Anything in the place of anything."""
    put = data.draw(st.sampled_from(places(REAL[kind])))
    cleanly(kind, json.dumps(put(REAL[kind], wrong)).encode())


@given(st.dictionaries(st.sampled_from(["ce-specversion", "ce-id", "ce-time", "ce-type", "ce-source"]), st.text()))
def test_any_headers_are_taken_or_refused(headers: dict[str, str]):
    """Binary mode, with whatever a header can hold."""
    cleanly("cloudevents", b"", headers)


@given(st.text(max_size=2000))
def test_a_line_is_one_line(text: str):
    """It can be logged and shown."""
    assert line(text).isprintable()
    assert len(line(text)) <= 300


@given(st.text(max_size=400), st.text(max_size=400))
def test_two_names_never_become_one(one: str, other: str):
    """Also where they differ only in what cannot be shown, or far behind."""
    assert (identity(one) == identity(other)) == (one == other)
    assert identity("x" * 400 + one) == identity("x" * 400 + one)
