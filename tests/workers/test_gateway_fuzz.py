"""Everything that the gateway's OpenAPI document allows, and much that it forbids: no crash, no 5xx, no surprise.

They are the same in each run of the tests. QUORATE_FUZZ is a number of requests for each operation and mode: then they
are new ones, from a seed that pytest prints (`--hypothesis-seed`).
"""

import asyncio
import os
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from requests.auth import AuthBase
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from temporalio.client import Client

from tests.gateways import SECRET, running, signature

EXAMPLES = int(os.environ.get("QUORATE_FUZZ", "15"))
ALWAYS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Whether a header of CloudEvents' binary mode may be there depends on the others, which OpenAPI cannot say.
TOLD_BY_THE_DOCUMENT = [negative_data_rejection, positive_data_acceptance]


class Proof(AuthBase):
    """What a sender adds to a request so that it is let in, whichever way its source wants it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        request.headers.update({"Authorization": f"Bearer {SECRET}", **signature(body)})
        return request


def ask(url: str, path: str, mode: GenerationMode, seen: set[int]) -> None:
    """Requests of one kind to one path, each answer checked against the document."""
    document = requests.get(f"{url}/openapi.json", timeout=5).json()
    del document["paths"][path]["post"]["security"]  # who sends is proven by us; doubt about that is another test's
    schema = schemathesis.openapi.from_dict(document)
    (found,) = schema.include(path=path).get_all_operations()
    assert isinstance(found, Ok)
    operation = found.ok()
    checks = ALWAYS if path == "/events/others" else [*ALWAYS, *TOLD_BY_THE_DOCUMENT]
    with requests.Session() as session:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize="QUORATE_FUZZ" not in os.environ,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def each(case: Case[Any]) -> None:
            response = case.call_and_validate(url, session=session, auth=Proof(), checks=checks)
            seen.add(response.status_code)

        each()


@pytest.mark.parametrize("path", ["/events/pve", "/events/prometheus", "/events/arrays", "/events/others"])
@pytest.mark.parametrize(
    ("mode", "wanted"), [(GenerationMode.POSITIVE, {202}), (GenerationMode.NEGATIVE, {400, 415, 422})]
)
async def test_every_request_gets_an_answer_that_the_document_knows(
    client: Client, path: str, mode: GenerationMode, wanted: set[int]
):
    """What fits is acknowledged, what does not is refused, and nothing is answered with 5xx."""
    seen: set[int] = set()
    unlimited: Any = {"gateway_rate": 1e6, "gateway_burst": 10**6}
    async with running(client, settings=unlimited, gather=0.001) as gate:
        await asyncio.to_thread(ask, gate.url, path, mode, seen)

    assert seen & wanted
