"""Webhook templates: the forms of handlebars that Proxmox VE's webhooks are written in.

``{{ name }}``, ``{{ fields.hostname }}``, ``{{ fields.[job-id] }}``, ``{{ helper argument }}``, ``{{{ name }}}``,
comments and ``~``. Nothing is escaped by itself. Blocks (``{{#if}}``) are refused by name: no runbook's template has
one. Helpers and what they demand follow proxmox-notify's webhook endpoint (reference: proxmox-api §6).
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

_TAG = re.compile(r"\{\{(?P<triple>\{)?(?P<left>~)?(?P<inside>.*?)(?P<right>~)?(?(triple)\}\}\}|\}\})", re.DOTALL)
_SPACE = re.compile(r"\s*")
_COMMENT = re.compile(r"\{\{~?!--.*?--~?\}\}", re.DOTALL)
_WORD = re.compile(r'\s*("[^"]*"|\'[^\']*\'|[^\s"\'=()|]+)\s*')
_SEGMENT = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

# What `url-encode` leaves as it is, beyond letters, digits and "_.-~" (source: proxmox-notify, webhook endpoint).
_NOT_ENCODED = '"<>\\^`{|}'

_MISSING = object()


class TemplateError(Exception):
    """A template cannot be rendered: bad syntax, an unknown helper, or an argument that a helper does not take."""


def render(template: str, data: Mapping[str, Any]) -> str:
    """The text of a template. A name that is not there is empty; as a helper's argument it is null."""
    template = _COMMENT.sub("", template)
    text, place = "", 0
    while (start := template.find("{{", place)) >= 0:
        found = _TAG.match(template, start)
        if found is None:
            raise TemplateError(f"invalid handlebars syntax: '{template[start : start + 20]}' is never closed")
        before = template[place:start]
        text += before.rstrip() if found["left"] else before
        text += _tag(found["inside"].strip(), data)
        space = _SPACE.match(template, found.end())
        place = space.end() if space and found["right"] else found.end()
    return text + template[place:]


def _tag(inside: str, data: Mapping[str, Any]) -> str:
    if inside.startswith("!"):
        return ""
    if inside[:1] in ("#", "/", "^", ">", "*"):
        raise TemplateError(f"blocks and partials are not played by the twin: '{inside}'")
    words, place = [], 0
    inside = inside.removeprefix("&")
    while place < len(inside):
        found = _WORD.match(inside, place)
        if found is None:
            raise TemplateError(f"invalid handlebars syntax: '{{{{ {inside} }}}}'")
        words.append(found[1])
        place = found.end()
    if not words:
        raise TemplateError("invalid handlebars syntax: expected a name between '{{' and '}}'")
    if words[0] in HELPERS:
        return HELPERS[words[0]]([_value(word, data) for word in words[1:]])
    if len(words) > 1:
        raise TemplateError(f"Helper not found {words[0]}")
    return _plain(_value(words[0], data))


def _value(word: str, data: Mapping[str, Any]) -> Any:
    """A literal, or what stands at that path."""
    if word[0] in "\"'":
        return word[1:-1]
    if _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    if word in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[word]
    found: Any = data
    for bracketed, plain in _SEGMENT.findall(word.removeprefix("this.")):
        found = found.get(bracketed or plain, _MISSING) if isinstance(found, Mapping) else _MISSING
    return None if found is _MISSING else found


def _plain(value: Any) -> str:
    """A value in the middle of a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "[object]" if isinstance(value, Mapping) else str(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _text(arguments: list[Any], refusal: str) -> str:
    if not arguments or not isinstance(arguments[0], str):
        raise TemplateError(refusal)
    return arguments[0]


def _json(arguments: list[Any]) -> str:
    if not arguments:
        raise TemplateError("json: missing parameter")
    return _compact(arguments[0])


def _escape(arguments: list[Any]) -> str:
    return _compact(_text(arguments, "escape: missing text parameter"))[1:-1]


def _url_encode(arguments: list[Any]) -> str:
    return quote(_text(arguments, "url-encode: missing parameter"), safe=_NOT_ENCODED)


HELPERS: dict[str, Callable[[list[Any]], str]] = {"escape": _escape, "json": _json, "url-encode": _url_encode}
