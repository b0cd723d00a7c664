"""A webhook: one JSON text to one address. Who knows such an address may write there: errors name its host alone."""

import json
import time
from typing import Any
from urllib.parse import urlsplit

import requests

from activities import tracing
from activities.errors import Rejected, Unauthorized, Unreachable

SHOWN = 200
# Bytes of an answer that are read: what is told of it, and what may be cut out before.
READ = 4096


def post(
    url: str, document: dict[str, Any], headers: dict[str, str], timeout: float, hidden: tuple[str, ...] = ()
) -> int:
    """Send a document once; the status. `hidden` are secrets in it, which no error repeats; headers are secrets too."""
    return _sent("POST", url, json.dumps(document, ensure_ascii=False), headers, timeout, hidden)


def put(url: str, document: dict[str, Any], headers: dict[str, str], timeout: float) -> int:
    """The same with PUT, for a service in which the address names the message."""
    return _sent("PUT", url, json.dumps(document, ensure_ascii=False), headers, timeout)


def post_text(url: str, text: str, headers: dict[str, str], timeout: float) -> int:
    """Send JSON text once; the status."""
    return _sent("POST", url, text, headers, timeout)


def _sent(
    method: str, url: str, text: str, headers: dict[str, str], timeout: float, hidden: tuple[str, ...] = ()
) -> int:
    """One request, as a span that says the host alone."""
    with tracing.request(method, where(url)):
        return _taken(method, url, text, headers, timeout, hidden)


def _taken(method: str, url: str, text: str, headers: dict[str, str], timeout: float, hidden: tuple[str, ...]) -> int:
    """Redirects are not followed: the address was allowed, another one was not. Of an answer its beginning is read."""
    try:
        answer = requests.request(
            method,
            url,
            stream=True,
            auth=_as_it_is,
            data=text.encode(),
            headers={"Content-Type": "application/json", **headers},
            timeout=timeout,
            allow_redirects=False,
        )
    except (UnicodeError, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema, requests.exceptions.InvalidHeader) as error:  # fmt: skip
        said = f"{where(url)}: its address or a header cannot be sent ({type(error).__name__})"
        raise Rejected(f"{said}; look at what env: and file: of this receiver hold") from None
    except requests.exceptions.SSLError:
        # the library's own words hold the path
        raise Unauthorized(f"{where(url)}: its certificate is not trusted by this worker") from None
    except requests.exceptions.RequestException as error:
        raise Unreachable(f"{where(url)} does not answer: {type(error).__name__}") from None
    tracing.answered(answer.status_code)
    with answer:
        if answer.status_code in (429, 502, 503, 504):
            raise Unreachable(f"{where(url)} says HTTP {answer.status_code}")
        if not 200 <= answer.status_code < 300:
            secrets = (url, *headers.values(), *hidden)
            said = _without(_beginning(answer, timeout), *secrets)[:SHOWN].strip()
            raise Rejected(f"{where(url)} says HTTP {answer.status_code}{': ' + said if said else ''}")
        return answer.status_code


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The headers that were given: a login in the worker's own ``.netrc`` would take the place of a token."""
    return request


def _beginning(answer: requests.Response, timeout: float) -> str:
    """As much as is told of it; an answer without an end, or one that drips, keeps nobody waiting."""
    until, found = time.monotonic() + timeout, b""
    try:
        for letter in answer.iter_content(1):
            found += letter
            if len(found) >= READ or time.monotonic() > until:
                break
    except requests.exceptions.RequestException:
        pass  # what has come is told
    return found.decode(errors="replace")


def where(url: str) -> str:
    """The host of an address, and its port: what may be told of a webhook."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.hostname or 'the webhook'}{port}"
    except ValueError:
        return "the webhook"


def _without(text: str, url: str, *values: str) -> str:
    """What a server says about a request often holds the path of its address, or repeats a header."""
    parts = urlsplit(url)
    words = {word for value in values for word in (value, value.partition(" ")[2])}
    for secret in sorted({url, parts.path, parts.query, *parts.path.split("/"), *words}, key=len, reverse=True):
        if len(secret) > 3:
            text = text.replace(secret, "…")
    return text
