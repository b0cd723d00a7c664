"""A webhook: one JSON text to one address. Who knows such an address may write there: errors name its host alone."""

import json
from typing import Any
from urllib.parse import urlsplit

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
    except requests.exceptions.SSLError:
        # the library's own words hold the path
        raise Unauthorized(f"{where(url)}: its certificate is not trusted by this worker") from None
    except requests.exceptions.RequestException as error:
        raise Unreachable(f"{where(url)} does not answer: {type(error).__name__}") from None
    if answer.status_code in (429, 502, 503, 504):
        raise Unreachable(f"{where(url)} says HTTP {answer.status_code}")
    if not 200 <= answer.status_code < 300:
        said = _without(answer.text, url)[:SHOWN].strip()
        raise Rejected(f"{where(url)} says HTTP {answer.status_code}{': ' + said if said else ''}")
    return answer.status_code


def where(url: str) -> str:
    """The host of an address, and its port: what may be told of a webhook."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.hostname or 'the webhook'}{port}"
    except ValueError:
        return "the webhook"


def _without(text: str, url: str) -> str:
    """What a server says about an address often holds its path."""
    parts = urlsplit(url)
    for secret in sorted({url, parts.path, parts.query, *parts.path.split("/")}, key=len, reverse=True):
        if len(secret) > 3:
            text = text.replace(secret, "…")
    return text
