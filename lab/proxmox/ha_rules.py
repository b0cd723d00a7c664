"""HA rules as data: how they are read, which of them cannot be followed, and what they say about one service.

Pure functions over the entries of rules.cfg (reference: pve-ha §§8 and 12).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Rule = Mapping[str, Any]
Rules = Mapping[str, Rule]


def words(text: Any) -> list[str]:
    """PVE's lists: split at commas, semicolons and blanks."""
    return [word for word in re.split(r"[,; ]+", str(text or "")) if word]


def resources(rule: Rule) -> list[str]:
    """The services a rule is about."""
    return words(rule.get("resources"))


def priorities(rule: Rule) -> dict[str, int]:
    """Node to priority, 0 where none is given."""
    pairs = (word.partition(":") for word in words(rule.get("nodes")))
    return {node: int(priority or 0) for node, _, priority in pairs}


def node_list(rule: Rule) -> str:
    """The nodes in their canonical form: sorted, a priority of 0 not written."""
    found = priorities(rule)
    return ",".join(f"{node}:{found[node]}" if found[node] else node for node in sorted(found))


def active(rules: Rules, nodes: Iterable[str]) -> dict[str, Rule]:
    """The rules the scheduler follows: neither disabled nor infeasible."""
    wrong = problems(rules, nodes)
    return {name: rule for name, rule in rules.items() if not rule.get("disable") and name not in wrong}


def problems(rules: Rules, nodes: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Rule -> property -> what is wrong with it; rules that are fine are not in it."""
    enabled = {name: rule for name, rule in rules.items() if not rule.get("disable")}
    found: dict[str, dict[str, list[str]]] = {}

    def say(name: str, field: str, text: str) -> None:
        found.setdefault(name, {}).setdefault(field, []).append(text)

    affine = {name: rule for name, rule in enabled.items() if rule["type"] == "node-affinity"}
    for name, rule in affine.items():
        twice = [sid for sid in resources(rule) if sum(sid in resources(other) for other in affine.values()) > 1]
        for sid in twice:
            say(name, "resources", f"resource '{sid}' is already used in another node affinity rule")
    count = len(list(nodes))
    for name, rule in enabled.items():
        if rule["type"] != "resource-affinity":
            continue
        mine = resources(rule)
        if len(mine) < 2:
            say(name, "resources", "rule is ineffective as there are less than two resources")
        if rule.get("affinity") == "negative" and len(mine) > count:
            say(name, "resources", "rule defines more resources than available nodes")
        for other, node_rule in affine.items():
            if set(mine) & set(resources(node_rule)) and len(set(priorities(node_rule).values())) > 1:
                text = "resources are in a node affinity rule with multiple priorities"
                say(name, "resources", text)
                say(other, "resources", text)
    return found


@dataclass(frozen=True)
class Candidates:
    """The nodes a service may run on, and among them those of the best priority."""

    allowed: frozenset[str]
    best: frozenset[str]


def candidates(rules: Mapping[str, Rule], sid: str, online: Iterable[str]) -> Candidates:
    """What node affinity leaves: without a rule all online nodes are alike."""
    up = frozenset(online)
    for rule in rules.values():
        if rule["type"] == "node-affinity" and sid in resources(rule):
            listed = priorities(rule)
            by_node = {node: listed[node] for node in up if node in listed}
            if not rule.get("strict"):
                by_node |= dict.fromkeys(up - listed.keys(), -1)
            highest = max(by_node.values(), default=0)
            return Candidates(frozenset(by_node), frozenset(n for n, value in by_node.items() if value == highest))
    return Candidates(up, up)


def companions(rules: Mapping[str, Rule], sid: str, affinity: str) -> frozenset[str]:
    """The other services that must be with this one (``positive``), or never on its node (``negative``)."""
    found: set[str] = set()
    for rule in rules.values():
        if rule["type"] == "resource-affinity" and rule.get("affinity") == affinity and sid in resources(rule):
            found |= set(resources(rule))
    return frozenset(found - {sid})
