"""The second line before a secret: its value is blanked out of whatever text leaves the process.

The first line is the design: a secret is read inside a client at the moment of its use, and passed to nobody. This one
catches what a device, a library or a person repeats: the value itself, and the forms in which it travels (base64 at
any offset, percent-encoded, inside JSON or HTML). `Secrets` makes known each value that it reads.
"""

import base64
import html
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from ahocorasick_rs import AhoCorasick, MatchKind

BLANK = "[secret]"
# Shorter ones are words that stand in ordinary sentences: blanking them would make pages unreadable and hide little.
SHORTEST = 8
# Letters of a text in base64 before and after which its neighbours decide.
_GROUP = 4


class Masks:
    """The secrets that a process has read, in every form in which one may turn up."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._known: set[str] = set()
        self._finds: AhoCorasick | None = None
        self._lock = threading.Lock()

    def learn(self, secret: str) -> None:
        """From now on this value is blanked out; one with fewer letters than `SHORTEST` is not."""
        if secret in self._known:
            return
        with self._lock:
            self._known.add(secret)
            self._forms |= {form for part in _parts(secret) for form in forms(part) if len(form) >= SHORTEST}
            self._finds = AhoCorasick(sorted(self._forms), matchkind=MatchKind.LeftmostLongest)

    def text(self, text: str) -> str:
        """The text without what is secret in it."""
        if self._finds is None or not (found := self._finds.find_matches_as_indexes(text)):
            return text
        parts, end = [], 0
        for _, begin, until in found:
            parts += [text[end:begin], BLANK]
            end = until
        return "".join((*parts, text[end:]))

    def data(self, value: Any) -> Any:
        """The same of texts, lists and mappings, also of the keys; what is no text is left as it is."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.data(name): self.data(each) for name, each in value.items()}
            case list() | tuple():
                return type(value)(self.data(each) for each in value)
        return value


def forms(secret: str) -> Iterator[str]:
    """The value as it is, and as JSON, HTML, an address or base64 hold it, whatever stands beside it there."""
    raw = secret.encode()
    yield secret
    yield repr(secret)[1:-1]
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    for quotes in (True, False):
        yield html.escape(secret, quote=quotes)
    for quoted in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield quoted
        yield _small_hex(quoted)
    yield raw.hex()
    yield raw.hex().upper()
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield _inner(encode, raw, offset)


def _parts(secret: str) -> Iterable[str]:
    """A key of several lines line by line; of an address also its path and its query, which are what is secret."""
    lines = [line.strip() for line in secret.splitlines()]
    found = [secret, *(line for line in lines if len(lines) > 1 and not line.startswith("-----"))]
    if "://" in secret:
        try:
            parts = urlsplit(secret)
        except ValueError:
            return found
        found += [parts.path, parts.query, parts.password or "", *parts.path.split("/")]
    return [part for part in found if len(part) >= SHORTEST]


def _small_hex(quoted: str) -> str:
    """The same with ``%2f`` in place of ``%2F``: both are right."""
    head, *rest = quoted.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _inner(encode: Callable[[bytes], bytes], raw: bytes, offset: int) -> str:
    """What a longer text in base64 holds of it for sure, when it begins at that offset of three."""
    whole = encode(b"\0" * offset + raw).decode()
    start = _GROUP if offset else 0
    end = len(whole) - _GROUP if (offset + len(raw)) % 3 else len(whole)
    return whole[start:end]


MASKS = Masks()
