"""A secret that a device repeats is in no span."""

import base64

import pytest
from opentelemetry import trace

from activities.clients.masks import BLANK, MASKS
from tests.telemetry import Collected
from workers.errors import Unusable
from workers.settings import Settings
from workers.telemetry.exporting import processors
from workers.telemetry.masking import learn


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"]
)
def test_what_lets_us_in_at_a_receiver_is_secret(name: str):
    """OpenTelemetry's own warning repeats a header that it cannot read."""
    learn({name: "x-team=ops,authorization=Bearer%20canary-header-5b1e"})

    assert MASKS.text("Header format invalid: authorization=Bearer canary-header-5b1e") == (
        f"Header format invalid: authorization={BLANK}"
    )
    assert MASKS.text("it had canary-header-5b1e") == f"it had {BLANK}"


@pytest.mark.parametrize(
    "endpoint", ["ftp://ana:canary-1@host:4317?key=canary-2", "ana:canary-1@host:4317", "http://ana:can/ary@host:x"]
)
def test_an_endpoint_that_cannot_be_used_is_told_without_its_password(endpoint: str):
    """Where it is, and how it should be written."""
    with pytest.raises(Unusable) as raised:
        list(processors(Settings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}))

    assert "canary" not in raised.value.what
    assert "ary" not in raised.value.what
    assert "the endpoint 'host:" in raised.value.what


def test_what_is_secret_is_blanked_out_wherever_a_span_says_it(collected: Collected):
    """In the name, an attribute, an event and the status; also encoded."""
    secret = "canary-9f1c.+*[x]-of-a-span"
    MASKS.learn(secret)
    span = trace.get_tracer("test").start_span(f"GET /{secret}", attributes={"said": secret, "number": 3})
    span.add_event(f"told {secret}", {"by": base64.b64encode(secret.encode()).decode()})
    span.set_status(trace.Status(trace.StatusCode.ERROR, f"Rejected: {secret}"))
    span.end()

    (found,) = collected.spans()

    assert (found.name, dict(found.attributes or {})) == ("GET /[secret]", {"said": "[secret]", "number": 3})
    assert (found.events[0].name, found.status.description) == ("told [secret]", "Rejected: [secret]")
    assert secret not in found.to_json()
    assert base64.b64encode(secret.encode()).decode() not in found.to_json()
