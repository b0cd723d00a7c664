"""What the gateway says about itself: the bodies of each source, its way to prove who it is, and every answer."""

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from cluster.around import EventSource
from workers.gateway.bodies import BATCHED, BODIES, CE_HEADERS, STRUCTURED, CloudEvent, CloudEventBatch, Readable
from workers.gateway.door import SIGNATURE, STAMP
from workers.gateway.refusals import Refusal

_SCHEMAS = "#/components/schemas/{model}"
_AGAIN = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
_MEANINGS = {
    400: "the body is not JSON",
    401: "the request does not prove that it comes from this source",
    408: "the body did not arrive in time",
    409: "this signed request was taken already",
    413: "the body is too large",
    415: "the Content-Type names no form of CloudEvents",
    422: "a field is missing or wrong; `field` names it",
    429: "this source sends more than it may",
    503: "Temporal does not have the events: send them again",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "model": Refusal, **({"headers": _AGAIN} if status in (429, 503) else {})}
    for status, words in _MEANINGS.items()
}
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "timestamp": {"type": "apiKey", "in": "header", "name": STAMP, "description": "seconds since 1970"},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": SIGNATURE,
        "description": "sha256=HEX, the HMAC-SHA256 of timestamp, a dot and the body",
    },
}
TITLES = {
    "pve": "Notifications of Proxmox VE",
    "alertmanager": "Alertmanager's webhook, or Grafana's of the same form",
    "purity": "An alert of Purity",
    "cloudevents": "CloudEvents 1.0: structured, batched, or (bearer only) in binary mode with ce- headers",
}


def operation(source: EventSource) -> dict[str, Any]:
    """What one source's route takes."""
    content: dict[str, Any]
    extra: dict[str, Any] = {}
    if source.kind == "cloudevents":
        content = {STRUCTURED: _ref(CloudEvent), BATCHED: _ref(CloudEventBatch)}
    else:
        content = {"application/json": _ref(BODIES[source.kind])}
    if source.kind == "cloudevents" and source.auth == "bearer":  # a signature covers no header
        content["application/octet-stream"] = {}
        extra["parameters"] = [
            {
                "name": f"ce-{name}",
                "in": "header",
                "required": False,
                "description": "binary mode only",
                "schema": {"type": "string", **({"enum": ["1.0"]} if name == "specversion" else {})},
            }
            for name in CE_HEADERS
        ]
    security: dict[str, list[str]] = {"bearer": []} if source.auth == "bearer" else {"timestamp": [], "signature": []}
    return {"requestBody": {"required": True, "content": content}, "security": [security], **extra}


def components(sources: Iterable[EventSource]) -> dict[str, Any]:
    """The schemas and the ways to prove who one is that these sources need."""
    sources = tuple(sources)
    models: list[type[Readable]] = [BODIES[kind] for kind in BODIES if any(kind == each.kind for each in sources)]
    if any(each.kind == "cloudevents" for each in sources):
        models += [CloudEvent, CloudEventBatch]
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMAS)
    ways = [name for each in sources for name in (("bearer",) if each.auth == "bearer" else ("timestamp", "signature"))]
    return {"schemas": schemas.get("$defs", {}), "securitySchemes": {name: SECURITY[name] for name in ways}}


def _ref(model: type[Readable]) -> dict[str, Any]:
    return {"schema": {"$ref": _SCHEMAS.format(model=model.__name__)}}
