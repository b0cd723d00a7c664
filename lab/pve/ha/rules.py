"""HA rules as data: how they are read, which of them cannot be followed, and what they say about one service.

Pure functions over the entries of rules.cfg (reference: pve-ha §§8 and 12).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
    return _whole({name: rule for name, rule in rules.items() if not rule.get("disable") and name not in wrong})


def _whole(rules: Rules) -> dict[str, Rule]:
    """Rules with all that follows from them (source: HA/Rules/ResourceAffinity.pm).

    Positive rules that share a service are one group; what one of a group must not meet, none of it must meet.
    """
    found = {name: rule for name, rule in rules.items() if rule.get("affinity") != "positive"}
    apart = [set(resources(rule)) for rule in found.values() if rule.get("affinity") == "negative"]
    for names, group in groups(rules):
        name = names[0] if len(names) == 1 else f"_merged-{'-'.join(names)}"
        found[name] = _affinity("positive", group)
        for node_rule in _paired(rules, group):  # where one of them lives, all of them live
            also = {**found[node_rule], "resources": ",".join(sorted(group | set(resources(found[node_rule]))))}
            found[node_rule] = also
        for other in sorted(set().union(*(rule - group for rule in apart if rule & group))):
            kept = {sid for sid in group if any({sid, other} <= rule for rule in apart)}
            for sid in sorted(group - kept):
                found[f"_implicit-negative-{name}-{sid}-{other}"] = _affinity("negative", {sid, other})
    return found


def _affinity(affinity: str, sids: Iterable[str]) -> Rule:
    return {"type": "resource-affinity", "affinity": affinity, "resources": ",".join(sorted(sids))}


def groups(rules: Rules) -> list[tuple[list[str], set[str]]]:
    """The positive rules, those that share a service together: their names, and the services of each group."""
    found: list[tuple[list[str], set[str]]] = []
    for name in sorted(rules):
        if rules[name].get("affinity") == "positive":
            mine = set(resources(rules[name]))
            linked = [one for one in found if one[1] & mine]
            found = [one for one in found if one not in linked]
            names = sorted({name}.union(*(one[0] for one in linked)))
            found.append((names, mine.union(*(one[1] for one in linked))))
    return found


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
    for name, text in (*_contradictions(enabled), *_between_kinds(enabled)):
        say(name, "resources", text)
    return found


def _paired(rules: Rules, sids: Iterable[str]) -> list[str]:
    """The node affinity rules that are about some of these services."""
    some = set(sids)
    return [name for name, rule in rules.items() if rule["type"] == "node-affinity" and some & set(resources(rule))]


def _between_kinds(rules: Rules) -> Iterator[tuple[str, str]]:
    """Rules about nodes and rules about services that cannot be followed together (source: HA/Rules.pm)."""
    for name, rule in rules.items():
        if rule["type"] != "resource-affinity":
            continue
        paired = _paired(rules, resources(rule))
        if any(len(set(priorities(rules[one]).values())) > 1 for one in paired):
            yield name, "resources are in node affinity rules with multiple priorities"
            for one in paired:
                yield (
                    one,
                    (
                        "resources are in a resource affinity rule and cannot be in a node affinity rule with multiple "
                        "priorities"
                    ),
                )
        located = {sid for one in paired for sid in resources(rules[one])} & set(resources(rule))
        allowed = {node for one in paired for node in priorities(rules[one])}
        if rule.get("affinity") == "negative" and len(allowed) < len(located):
            yield name, "two or more resources are restricted to less nodes than available to the resources"
            for one in paired:
                yield (
                    one,
                    (
                        "at least one resource is in a negative resource affinity rule and this rule would restrict "
                        "these to less nodes than available to the resources"
                    ),
                )
    for names, group in groups(rules):
        if len(paired := _paired(rules, group)) > 1:
            for name in names:
                yield name, "resources are in multiple node affinity rules"
            for one in paired:
                yield (
                    one,
                    (
                        "at least one resource is in a positive resource affinity rule and there are other resources "
                        "in at least one other node affinity rule already"
                    ),
                )


def _contradictions(rules: Rules) -> Iterator[tuple[str, str]]:
    """Rules by which the same two services must be together and must not meet."""
    for names, group in groups(rules):
        negative = (name for name, rule in rules.items() if rule.get("affinity") == "negative")
        against = [name for name in negative if len(group & set(resources(rules[name]))) > 1]
        for name in against:
            yield name, "rule shares two or more resources with a positive resource affinity rule"
        for name in names if against else ():
            yield name, "rule shares two or more resources with a negative resource affinity rule"


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
