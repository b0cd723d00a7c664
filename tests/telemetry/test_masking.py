"""A secret that a device repeats is in no span."""

import base64

from opentelemetry import trace

from activities.clients.masks import MASKS
from tests.telemetry import Collected


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
