"""A webhook: one JSON text to one address."""

import json
from typing import Any

import requests

from activities.errors import Rejected, Unauthorized, Unreachable

SHOWN = 200


def post(url: str, document: dict[str, Any], headers: dict[str, str], timeout: float) -> int:
    """Send a document once; the status."""
    return post_text(url, json.dumps(document), headers, timeout)


def post_text(url: str, text: str, headers: dict[str, str], timeout: float) -> int:
    """Send JSON text once; the status. Redirects are not followed: the address was allowed, another one was not."""
    try:
        answer = requests.post(
            url,
            data=text.encode(),
            headers={"Content-Type": "application/json", **headers},
            timeout=timeout,
            allow_redirects=False,
        )
    except requests.exceptions.SSLError as error:
        raise Unauthorized(f"{url}: its certificate is not trusted ({str(error)[:SHOWN]})") from None
    except requests.exceptions.RequestException as error:
        raise Unreachable(f"{url} does not answer: {type(error).__name__}") from None
    if answer.status_code in (429, 502, 503, 504):
        raise Unreachable(f"{url} says HTTP {answer.status_code}")
    if not 200 <= answer.status_code < 300:
        said = answer.text[:SHOWN].strip()
        raise Rejected(f"{url} says HTTP {answer.status_code}{': ' + said if said else ''}")
    return answer.status_code
