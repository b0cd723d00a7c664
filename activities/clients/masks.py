"""The second line before a secret: its value is blanked out of whatever text leaves the process.

The first line is the design: a secret is read inside a client at the moment of its use, and passed to nobody. This one
catches what a device, a library or a person repeats: the value itself, and the forms in which it travels (base64 at
any offset, percent-encoded, inside JSON or HTML, in UTF-16), also over the end of a line, and cut off where a text was
cut at its length. `Secrets` makes known each value that it reads.
"""

import base64
import html
import json
import re
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
# What a text that was cut off may end with behind the cut; and letters of its end that are looked at.
_BEHIND = "'\"`.… )]}>"
_END = 2048
_WRAPPED = re.compile(r"(?:\r?\n|\\r?\\n|\\n)[ \t]*")
# What `requests` leaves as it is in an address.
_RESERVED = "!#$%&'()*+,/:;=?@[]~"


class Masks:
    """The secrets that a process has read, in every form in which one may turn up."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._known: set[str] = set()
        self._finds: AhoCorasick | None = None
        self._halves: AhoCorasick | None = None
        self._whole: dict[int, list[str]] = {}
        self._lock = threading.Lock()

    def learn(self, secret: str) -> None:
        """From now on this value is blanked out; one with fewer letters than `SHORTEST` is not."""
        if secret in self._known:
            return
        with self._lock:
            self._known.add(secret)
            self._forms |= {form for part in _parts(secret) for form in forms(part) if len(form) >= SHORTEST}
            self._finds = AhoCorasick(sorted(self._forms), matchkind=MatchKind.LeftmostLongest)
            self._cut()

    def _cut(self) -> None:
        """Of each form its first half: a text that ends within the second one tells too much of it."""
        halves: dict[str, list[str]] = {}
        for form in self._forms:
            if (half := max(SHORTEST, -(-len(form) // 2))) < len(form):
                halves.setdefault(form[:half], []).append(form)
        whole = dict(enumerate(halves.values()))
        self._halves, self._whole = AhoCorasick(list(halves), matchkind=MatchKind.Standard), whole

    def text(self, text: str) -> str:
        """The text without what is secret in it."""
        if self._finds is None:
            return text
        found = [(begin, until) for _, begin, until in self._finds.find_matches_as_indexes(text)]
        found += self._over_lines(text)
        if (cut := self._at_the_end(text)) is not None:
            found.append(cut)
        parts, end = [], 0
        for begin, until in sorted(found):
            if begin >= end:
                parts += [text[end:begin], BLANK]
            end = max(end, until)
        return "".join((*parts, text[end:])) if parts else text

    def _over_lines(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a secret goes on in the next line, as long base64 does."""
        ends = [(one.start(), one.end()) for one in _WRAPPED.finditer(text)]
        if not ends or self._finds is None:
            return
        places = _without(len(text), ends)
        for _, begin, until in self._finds.find_matches_as_indexes("".join(text[at] for at in places)):
            if places[until - 1] - places[begin] >= until - begin:  # else it stands in one line, and is known
                yield places[begin], places[until - 1] + 1

    def _at_the_end(self, text: str) -> tuple[int, int] | None:
        """Where a secret begins that the end of the text has cut off."""
        end = text[-_END:].rstrip(_BEHIND)
        before = max(0, len(text) - _END)
        halves, whole = self._halves, self._whole
        if halves is None:
            return None
        for number, begin, _ in halves.find_matches_as_indexes(end, overlapping=True):
            if any(form.startswith(end[begin:]) for form in whole.get(number, ())):
                return before + begin, before + len(end)
        return None

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
    yield secret
    yield repr(secret)[1:-1]
    for said in (secret, *_in_json(secret)):
        yield said
        yield from _in_json(said)  # a document in a document
    for quotes in (True, False):
        yield html.escape(secret, quote=quotes)
    for quoted in (quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret, safe=_RESERVED)):
        for one in (quoted, _small_hex(quoted)):
            yield from (one, quote(one, safe=""), _small_hex(quote(one, safe="")))
    for raw in (secret.encode(errors="surrogatepass"), secret.encode("utf-16-le", errors="surrogatepass")):
        yield raw.hex()
        yield raw.hex().upper()
        for offset in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                yield _inner(encode, raw, offset)


def _in_json(text: str) -> Iterator[str]:
    """As a string of JSON holds it; Go's library writes what HTML could take for its own as an escape."""
    for ascii_only in (True, False):
        said = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield said
        yield said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        yield said.replace("/", "\\/")


def _without(length: int, gaps: Iterable[tuple[int, int]]) -> list[int]:
    """The places of a text that long which stand in none of the gaps."""
    places: list[int] = []
    end = 0
    for begin, until in gaps:
        places += range(end, begin)
        end = until
    return places + list(range(end, length))


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
