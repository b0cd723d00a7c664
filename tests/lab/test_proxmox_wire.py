"""How the nodes speak: headers, bodies, refusals of each layer, forwarding; asked with requests."""

import time
from urllib.parse import quote

import pytest
import requests

from lab.physics.faults import Fault
from lab.pve.daemon import keepalive
from tests.lab.pve import FIRST, SECOND, SECRET, SPEED, TOKEN, nodes, served

__all__ = ["nodes", "served"]  # fixtures


def test_answers_with_the_literal_content_type(nodes):
    """npm's proxmox-api compares the header as text."""
    answer = nodes.http("GET", "/version")

    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Server"] == "pve-api-daemon/3.0"
    assert answer.json()["data"]["version"] == "9.1.9"


def test_takes_a_blank_after_the_token_scheme(nodes):
    """`PVEAPIToken USER...` is the other form of the header."""
    answer = nodes.http("GET", "/version", headers={"Authorization": f"PVEAPIToken {TOKEN}={SECRET}"})

    assert answer.status_code == 200


def test_holds_back_every_401_for_three_seconds(nodes):
    """A wrong secret is not told apart from an unknown token, and not at once."""
    began = time.monotonic()
    answer = nodes.http("GET", "/version", token="wrong")

    assert (answer.status_code, answer.reason, answer.content) == (401, "Authentication failed!", b"")
    assert time.monotonic() - began >= 3 / SPEED


def test_wants_a_login(nodes):
    """Without any credential the reason says so."""
    answer = nodes.http("GET", "/version", headers={"Authorization": ""})

    assert (answer.status_code, answer.reason) == (401, "No ticket")


def test_names_every_wrong_parameter(nodes):
    """PVE's own texts, one per parameter, and the summary in the reason phrase."""
    form = {"newid": "99", "full": "True", "format": "vdi", "nonsense": "1"}
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/clone", data=form)

    assert (answer.status_code, answer.reason) == (400, "Parameter verification failed.")
    assert answer.json() == {
        "data": None,
        "message": "Parameter verification failed.\n",
        "errors": {
            "newid": "invalid format - value does not look like a valid VM ID\n",
            "full": "type check ('boolean') failed - got 'True'",
            "format": "value 'vdi' does not have a value in the enumeration 'raw, qcow2, vmdk'",
            "nonsense": "property is not defined in schema and the schema does not allow additional properties",
        },
    }


@pytest.mark.parametrize(
    ("verb", "path", "form", "name", "text"),
    [
        ("POST", "/cluster/ha/resources", {}, "sid", "property is missing and it is not optional"),
        ("PUT", "/nodes/pxmx01-01/qemu/101/config", {"cores": 0}, "cores", "value must have a minimum value of 1"),
        ("PUT", "/nodes/pxmx01-01/qemu/101/config", {"cores": "x"}, "cores", "type check ('integer') failed - got 'x'"),
        (
            "PUT",
            "/nodes/pxmx01-01/qemu/101/config",
            {"net1": "virtio,tag=5000"},
            "net1",
            "invalid format - format error\nnet1.tag: value must have a maximum value of 4094\n",
        ),
        (
            "POST",
            "/nodes/pxmx01-01/qemu/101/migrate",
            {"target": SECOND, "vmid": 102},
            "vmid",
            "duplicate parameter (already defined in URI) with conflicting values!",
        ),
        ("POST", "/nodes/pxmx01-01/qemu/101/migrate", {"target": FIRST}, "target", "target is local node."),
        ("GET", "/nodes/pxmx01-01/tasks/UPID:pxmx01-01:00000001:00000001:00000001:x:1:a@pve:/status", {}, "upid",
         "no such task"),
    ],
)  # fmt: skip
def test_checks_parameters_in_pves_words(nodes, verb, path, form, name, text):
    """The texts that clients and people search for."""
    answer = nodes.http(verb, path, data=form)

    assert answer.json()["errors"] == {name: text}


def test_repeats_of_path_parameters_are_fine_while_equal(nodes):
    """Ansible sends the vmid in the body again."""
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/migrate", data={"vmid": 101, "target": "nowhere"})

    assert (answer.status_code, answer.reason) == (500, "no such cluster node 'nowhere'")


def test_reads_json_bodies(nodes):
    """Booleans may be real ones there."""
    body = {"storage": "s1", "type": "lvm", "vgname": "vg1", "shared": True}
    answer = nodes.http("POST", "/storage", json=body)

    assert answer.json() == {"data": {"storage": "s1", "type": "lvm"}}
    assert nodes.api().storage.get(type="lvm")[0]["shared"] == 1


def test_reads_untyped_bodies_as_forms_and_joins_repeated_keys(nodes):
    """`nodes=a&nodes=b` becomes the list that the schema asks for."""
    body = f"storage=s1&type=lvm&vgname=vg1&nodes={FIRST}&nodes={SECOND}".encode()
    nodes.http("POST", "/storage", data=body)

    assert nodes.api().storage.get(type="lvm")[0]["nodes"] == f"{FIRST},{SECOND}"


@pytest.mark.parametrize(
    ("verb", "path", "more", "status", "reason"),
    [
        ("DELETE", "/storage/s1", {"data": {"a": 1}}, 501, "Unexpected content for method 'DELETE'"),
        ("POST", "/storage", {"data": iter([b"a=1"])}, 501, "chunked transfer encoding not supported"),
        ("PATCH", "/version", {}, 501, "method 'PATCH' not available"),
        ("POST", "/storage", {"data": b"<x/>", "headers": {"Content-Type": "text/xml"}}, 506,
         "upload 'Content-Type 'text/xml' not implemented"),
    ],
)  # fmt: skip
def test_the_http_layer_refuses_without_json(nodes, verb, path, more, status, reason):
    """No content type, and the connection ends."""
    answer = nodes.http(verb, path, **more)

    assert (answer.status_code, answer.reason, answer.headers.get("Content-Type")) == (status, reason, None)
    assert answer.headers["Connection"] == "close"


def test_unknown_paths_are_handler_errors(nodes):
    """501 with a JSON body, unlike a verb the daemon does not know."""
    answer = nodes.http("GET", "/nowhere")

    assert (answer.status_code, answer.reason) == (501, "Method 'GET /nowhere' not implemented")
    assert answer.json() == {"data": None, "message": "Method 'GET /nowhere' not implemented\n"}


def test_a_dropped_answer_follows_the_accomplished_work(nodes):
    """The client sees a broken connection; the storage is there."""
    nodes.world.faults.plant(Fault(service=f"pve:{FIRST}", call="POST /storage", action="drop"))
    with pytest.raises(requests.exceptions.ConnectionError):
        nodes.api().storage.post(storage="s1", type="lvm", vgname="vg1")

    assert nodes.changes() == ["pve storage.create s1"]


def test_a_planted_failure_looks_like_pves_own(nodes):
    """Any status with any reason phrase, and for 59x an empty body."""
    nodes.world.faults.plant(
        Fault(service="pve", call="GET /version", action="fail", status=596, message="Broken pipe")
    )
    answer = nodes.http("GET", "/version")

    assert (answer.status_code, answer.reason, answer.content) == (596, "Broken pipe", b"")


@pytest.mark.parametrize("header", ["Server", "Pragma", "Cache-Control", "Expires", "Date"])
def test_every_answer_carries_the_daemons_headers(nodes, header):
    """Successes, refusals of a handler and refusals of the HTTP layer alike."""
    answers = [nodes.http("GET", "/version"), nodes.http("GET", "/nowhere"), nodes.http("PATCH", "/version")]

    assert [header in answer.headers for answer in answers] == [True] * 3
    assert {answer.headers["Cache-Control"] for answer in answers} == {"max-age=0"}


def test_a_connection_lives_for_a_hundred_successes(nodes):
    """The hundredth answer says that it was the last."""
    with nodes.session() as session:
        said = [session.get(nodes.url("/version")).headers.get("Connection") for _ in range(101)]

    assert [number for number, word in enumerate(said, start=1) if word == "close"] == [100]


def test_a_connection_ends_with_a_refusal(nodes):
    """Every status from 400 on closes it."""
    with nodes.session() as session:
        kept = session.get(nodes.url("/version")).headers.get("Connection")
        ended = session.get(nodes.url("/nodes/nowhere/status")).headers.get("Connection")

    assert (kept, ended) == (None, "close")


def test_an_idle_connection_is_closed(nodes, monkeypatch):
    """Five seconds of the wall; shortened here."""
    monkeypatch.setattr(keepalive, "IDLE", 0.1)
    with nodes.connection() as connection:
        connection.sendall(f"GET /api2/json/access/domains HTTP/1.1\r\nHost: {FIRST}\r\n\r\n".encode())
        began = time.monotonic()
        text = b"".join(iter(lambda: connection.recv(4096), b""))

    assert text.startswith(b"HTTP/1.1 200 OK\r\n")
    assert 0.1 <= time.monotonic() - began < 3


@pytest.mark.parametrize(("verb", "status"), [("GET", 301), ("HEAD", 301), ("POST", 308)])
def test_plain_http_is_sent_to_https(nodes, verb, status):
    """On the very port that speaks TLS."""
    url = nodes.url("/version")
    answer = requests.request(verb, url.replace("https", "http"), allow_redirects=False, timeout=5)

    assert (answer.status_code, answer.headers["Location"]) == (status, url)


def test_a_large_answer_is_packed_for_who_asks(nodes):
    """From a kilobyte on, and only then."""
    large = nodes.http("GET", "/cluster/resources", headers={"Accept-Encoding": "gzip"})
    small = nodes.http("GET", "/version", headers={"Accept-Encoding": "gzip"})
    plain = nodes.http("GET", "/cluster/resources", headers={"Accept-Encoding": "identity"})

    assert [answer.headers.get("Content-Encoding") for answer in (large, small, plain)] == ["gzip", None, None]


def test_a_body_may_be_half_a_megabyte(nodes):
    """What is larger is refused before it is read."""
    answer = nodes.http("POST", "/storage", data=b"a=" + b"x" * 512 * 1024)

    assert (answer.status_code, answer.reason) == (501, "for data too large")


@pytest.mark.parametrize("ticket", ["raw", "encoded"])
def test_takes_the_ticket_raw_and_encoded(nodes, ticket):
    """Browsers encode the cookie, scripts do not."""
    password = nodes.world.cluster.users["engine@pve"].password
    form = {"username": "engine@pve", "password": password}
    found = nodes.http("POST", "/access/ticket", headers={"Authorization": ""}, data=form).json()["data"]["ticket"]
    cookie = found if ticket == "raw" else quote(found, safe="")
    answer = nodes.http("GET", "/version", headers={"Authorization": "", "Cookie": f"PVEAuthCookie={cookie}"})

    assert answer.status_code == 200


def test_a_token_is_never_told_apart_from_a_disabled_user(nodes):
    """401 with the same words, as since pve-manager 9.1.6."""
    nodes.world.cluster.users["engine@pve"].properties["enable"] = 0

    assert nodes.http("GET", "/version").reason == "Authentication failed!"


def test_query_and_body_are_one(nodes):
    """A parameter may stand in either."""
    nodes.http("POST", "/storage?storage=s1&type=lvm", data={"vgname": "vg1"})

    assert nodes.changes() == ["pve storage.create s1"]
