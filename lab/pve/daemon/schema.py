"""The API's schema and the parameter check made from it, in PVE's own words.

The schema is upstream's, packed beside this file; its ``_meta`` says where it comes from and how it is laid out.
Formats that matter to a runbook are checked; of the others only the type is.
"""

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lab.pve.daemon.formats import Wrong, check_format
from lab.pve.errors import PveError, rejected

SOURCE = Path(__file__).with_name("pve-apidoc.json.gz")
_INTEGER = re.compile(r"[+-]?\d+")
_PERL_GROUP = re.compile(r"\(\?\^(i?):")  # (?^i:...) is Perl's way to print a compiled pattern
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


@dataclass(frozen=True)
class Method:
    """One verb of one path, as the schema describes it. `permissions` None means root@pam with a ticket only."""

    verb: str
    template: str
    parameters: Mapping[str, Mapping[str, Any]]
    permissions: Mapping[str, Any] | None
    allow_token: bool
    forwarded: bool
    open_ended: bool

    @property
    def public(self) -> bool:
        """Callable without any login."""
        return self.permissions is not None and self.permissions.get("user") == "world"


@dataclass
class _Branch:
    children: dict[str, "_Branch"] = field(default_factory=dict)
    parameter: tuple[str, "_Branch"] | None = None
    template: str = ""


class Schema:
    """All paths, and which one a request means."""

    def __init__(self, paths: Mapping[str, Mapping[str, Any]]) -> None:
        self._root = _Branch()
        self._methods: dict[tuple[str, str], Method] = {}
        for template, verbs in paths.items():
            self._plant(template)
            for verb, entry in verbs.items():
                self._methods[verb, template] = Method(
                    verb=verb,
                    template=template,
                    parameters=entry["params"],
                    permissions=entry["permissions"],
                    allow_token=bool(entry.get("allowtoken", 1)),
                    forwarded="proxyto" in entry,
                    open_ended=bool(entry.get("additionalProperties")),
                )

    def _plant(self, template: str) -> None:
        branch = self._root
        for segment in template.strip("/").split("/"):
            if segment.startswith("{"):
                branch.parameter = branch.parameter or (segment.strip("{}"), _Branch())
                branch = branch.parameter[1]
            else:
                branch = branch.children.setdefault(segment, _Branch())
        branch.template = template

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]]:
        """The method behind a raw (still percent-encoded) path, and its path parameters; 501 when there is none."""
        branch, found = self._root, {}
        for segment in path.strip("/").split("/"):
            name = unquote(segment)
            if name in branch.children:
                branch = branch.children[name]
            elif branch.parameter is not None:
                found[branch.parameter[0]] = name
                branch = branch.parameter[1]
            else:
                branch = _Branch()
        method = self._methods.get((verb, branch.template))
        if method is None:
            raise PveError(f"Method '{verb} {unquote(path)}' not implemented", status=501)
        return method, found


@cache
def schema() -> Schema:
    """The packed schema, read once."""
    return Schema(json.loads(gzip.decompress(SOURCE.read_bytes()))["paths"])


def merge(path: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Path parameters and the others; Ansible repeats some of the path's in the body, which is fine while equal."""
    for name, value in path.items():
        if name in given and str(given[name]) != value:
            raise rejected(**{name: "duplicate parameter (already defined in URI) with conflicting values!"})
    return {**given, **path}


def check(method: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with their types: integers and booleans as int, lists as list, everything else as text.

    All wrong parameters are named at once, as PVE does.
    """
    checked: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in given.items():
        rule = _rule(method.parameters, name)
        if rule is None:
            if not method.open_ended:
                errors[name] = "property is not defined in schema and the schema does not allow additional properties"
            continue
        try:
            checked[name] = _value(name, value, rule)
        except Wrong as wrong:
            errors[name] = str(wrong)
            continue
        if (needed := rule.get("requires")) and needed not in given:
            errors[needed] = f"missing property - '{name}' requires this property"
    for name in _missing(method.parameters, given):
        errors[name] = "property is missing and it is not optional"
    if errors:
        raise rejected(**errors)
    return checked


def _rule(parameters: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """A parameter's rule; ``net0`` belongs to the family ``net[n]``."""
    family = re.fullmatch(r"(.*?[^\d])(?:0|[1-9]\d{0,2})", name)
    rule = parameters.get(name) if "[n]" not in name else None
    return rule if rule is not None or family is None else parameters.get(f"{family[1]}[n]")


def _missing(parameters: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> Iterable[str]:
    return (
        name
        for name, rule in parameters.items()
        if not rule.get("optional") and "[n]" not in name and given.get(name) is None
    )


def _value(name: str, value: Any, rule: Mapping[str, Any]) -> Any:
    """One value with its type, or Wrong."""
    kind, format_ = rule.get("type", "string"), rule.get("format")
    if kind == "array":
        items = value if isinstance(value, list) else [value]
        return [_value(name, item, rule.get("items", {})) for item in items]
    if isinstance(value, list) and isinstance(format_, str) and format_.endswith("-list"):
        value = ",".join(str(item) for item in value)
    typed = _typed(value, kind)
    if format_ is not None:
        _check_format(name, str(typed), format_)
    _check_bounds(typed, rule)
    return typed


def _typed(value: Any, kind: str) -> Any:
    if isinstance(value, bool):  # only JSON bodies bring them
        value = int(value)
    text = value if isinstance(value, str) else "ARRAY" if isinstance(value, list) else str(value)
    fits = {
        "integer": _INTEGER.fullmatch(text) is not None,
        "number": _NUMBER.fullmatch(text) is not None,
        "boolean": text in ("0", "1"),
    }.get(kind, not isinstance(value, list | dict))
    if not fits:
        raise Wrong(f"type check ('{kind}') failed - got '{text}'")
    return int(text) if kind in ("integer", "boolean") else float(text) if kind == "number" else text


def _check_bounds(value: Any, rule: Mapping[str, Any]) -> None:
    if (pattern := rule.get("pattern")) and not re.fullmatch(_PERL_GROUP.sub(r"(?\1:", pattern), str(value)):
        raise Wrong("value does not match the regex pattern")
    if (longest := rule.get("maxLength")) is not None and len(str(value)) > longest:
        raise Wrong(f"value may only be {longest} characters long")
    if (shortest := rule.get("minLength")) is not None and len(str(value)) < shortest:
        raise Wrong(f"value must be at least {shortest} characters long")
    if isinstance(value, int | float):
        if (least := rule.get("minimum")) is not None and value < float(least):
            raise Wrong(f"value must have a minimum value of {least}")
        if (most := rule.get("maximum")) is not None and value > float(most):
            raise Wrong(f"value must have a maximum value of {most}")
    if (allowed := rule.get("enum")) and str(value) not in [str(word) for word in allowed]:
        raise Wrong(f"value '{value}' does not have a value in the enumeration '{', '.join(map(str, allowed))}'")


def _check_format(name: str, text: str, format_: str | Mapping[str, Mapping[str, Any]]) -> None:
    try:
        if isinstance(format_, str):
            check_format(text, format_)
        else:
            _check_property_string(name, text, format_)
    except Wrong as wrong:
        raise Wrong(f"invalid format - {wrong}") from None


def _check_property_string(name: str, text: str, parts: Mapping[str, Mapping[str, Any]]) -> None:
    """``virtio=AA:BB:..,bridge=vmbr0``: the first part may stand without its key when it is the default one.

    Source: PVE::JSONSchema, parse_property_string.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals:
            key, value = _default_key(parts), part
        elif not key or not value:
            raise Wrong("missing key in comma-separated list property")
        if key in found:
            raise Wrong(f"duplicate key in comma-separated list property: {key}")
        if key not in parts:
            raise Wrong(f"invalid key in comma-separated list property: {key}")
        key = _without_alias(key, parts, found)
        found[key] = _plain_boolean(value, parts[key])
    wrong = [f"\n{name}.{key}: {said}" for key, rule in parts.items() if (said := _wrong_part(key, rule, found))]
    if wrong:
        raise Wrong(f"format error{''.join(wrong)}")


def _default_key(parts: Mapping[str, Mapping[str, Any]]) -> str:
    for key, rule in parts.items():
        if rule.get("default_key"):
            return key
    raise Wrong("value without key, but schema does not define a default key")


def _without_alias(key: str, parts: Mapping[str, Mapping[str, Any]], found: dict[str, str]) -> str:
    """The key that an alias stands for; ``virtio=MAC`` says the model, too."""
    rule = parts[key]
    if "alias" not in rule:
        return key
    if told := rule.get("keyAlias"):
        if told in found:
            raise Wrong(f"key alias '{told}' is already defined")
        found[told] = key
    if rule["alias"] in found:
        raise Wrong(f"key '{rule['alias']}' is already defined (via alias)")
    return str(rule["alias"])


def _wrong_part(key: str, rule: Mapping[str, Any], found: Mapping[str, str]) -> str:
    """What is wrong with one part of a property string; nothing when it is left out and may be."""
    if key not in found:
        needed = not rule.get("optional") and "alias" not in rule
        return "property is missing and it is not optional" if needed else ""
    try:
        _value(key, found[key], rule)
    except Wrong as wrong:
        return str(wrong)
    return ""


def _plain_boolean(value: str, rule: Mapping[str, Any]) -> str:
    """Inside property strings, and only there, PVE takes words for booleans."""
    if rule.get("type") != "boolean":
        return value
    words = {"on": "1", "yes": "1", "true": "1", "off": "0", "no": "0", "false": "0"}
    return words.get(value.lower(), value)
