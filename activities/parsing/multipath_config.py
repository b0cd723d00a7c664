"""`multipathd show config`: sections in braces, a keyword and its quoted value on each line."""

import re
from typing import Any

from activities.parsing import reader
from cluster.multipathing import MultipathConfig, Rules

_OPENS = re.compile(r"^(?P<name>\w+)\s*\{$")
_SETTING = re.compile(r'^(?P<name>\w+)\s+(?:"(?P<quoted>.*)"|(?P<bare>\S.*))$')

# A section is its settings in their order, a keyword as often as it stands there, and the sections within it.
_Section = dict[str, list[Any]]


@reader
def parse_config(text: str) -> MultipathConfig:
    """What multipathd goes by; sections that nobody here judges are passed over."""
    tree = _tree(text)
    if "defaults" not in tree:  # multipathd always tells them: another text is none of its configuration
        raise ValueError(repr(text.strip()[:80]))
    return MultipathConfig(
        defaults=_settings(tree, "defaults"),
        overrides=_settings(tree, "overrides"),
        devices=tuple(map(_last, _within(tree, "devices", "device"))),
        multipaths=tuple(map(_last, _within(tree, "multipaths", "multipath"))),
        blacklist=_rules(tree, "blacklist"),
        exceptions=_rules(tree, "blacklist_exceptions"),
    )


def _tree(text: str) -> _Section:
    stack: list[_Section] = [{}]
    for line in filter(None, map(str.strip, text.splitlines())):
        if opens := _OPENS.match(line):
            section: _Section = {}
            stack[-1].setdefault(opens["name"], []).append(section)
            stack.append(section)
        elif line == "}" and len(stack) > 1:
            stack.pop()
        elif (setting := _SETTING.match(line)) and len(stack) > 1:
            value = setting["bare"] if setting["quoted"] is None else setting["quoted"]
            stack[-1].setdefault(setting["name"], []).append(value)
        else:
            raise ValueError(f"the line {line[:80]!r}")
    if len(stack) > 1:
        raise ValueError("it ends within a section")
    return stack[0]


def _within(tree: _Section, name: str, inner: str) -> list[_Section]:
    return [one for section in tree.get(name, []) for one in section.get(inner, [])]


def _last(section: _Section) -> dict[str, str]:
    """The settings of a section; of one that stands there twice the last counts."""
    return {name: values[-1] for name, values in section.items() if isinstance(values[-1], str)}


def _settings(tree: _Section, name: str) -> dict[str, str]:
    return {key: value for section in tree.get(name, []) for key, value in _last(section).items()}


def _rules(tree: _Section, name: str) -> Rules:
    sections = tree.get(name, [])
    rules = {kind: tuple(one for section in sections for one in section.get(kind, [])) for kind in _KINDS}
    devices = [_last(one) for one in _within(tree, name, "device")]
    return Rules(**rules, devices=tuple((one.get("vendor", ""), one.get("product", "")) for one in devices))


_KINDS = ("wwid", "devnode", "protocol")
