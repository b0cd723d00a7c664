"""HA rules over the API: node affinity and resource affinity (reference: pve-ha §12)."""

from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError
from lab.pve.ha import rules as ha_rules
from lab.pve.responses.ha import digest

routes = Routes()

_LOCK = "domain-ha"
_NEEDED = {"node-affinity": "nodes", "resource-affinity": "affinity"}
_CREATE, _UPDATE = "create ha rule failed: ", "update HA rules failed: "


def _file(call: Call) -> dict[str, dict[str, Any]]:
    """rules.cfg as the asked node has it."""
    return call.cluster.ha.seen_by(call.node).rules


@routes.on("GET /cluster/ha/rules")
async def rules(call: Call) -> list[dict[str, Any]]:
    """All rules, in their order."""
    found = [_entry(call, name) for name in _file(call)]
    return [
        entry
        for entry in found
        if call.get("type") in (None, entry["type"])
        and (call.get("resource") is None or call["resource"] in entry["resources"].split(","))
    ]


@routes.on("GET /cluster/ha/rules/{rule}")
async def rule(call: Call) -> dict[str, Any]:
    """One rule."""
    if call["rule"] not in _file(call):
        raise PveError(f"no such ha rule '{call['rule']}'")
    return _entry(call, call["rule"])


@routes.on("POST /cluster/ha/rules")
async def create(call: Call) -> None:
    """A new rule; one that could not be followed is refused."""
    call.cluster.require_quorum(call.node)
    name, ha = call["rule"], call.cluster.ha
    if name in ha.rules:
        raise PveError(f"{_CREATE}HA rule '{name}' already defined")
    properties = _checked(call, {key: value for key, value in call.parameters.items() if key != "rule"}, _CREATE)
    _feasible(call, name, properties, _CREATE)
    ha.rules[name] = properties
    shown = {key: properties[key] for key in ("type", "resources", "nodes", "affinity") if key in properties}
    call.cluster.world.record("pve", "ha.rule.create", name, **shown)


@routes.on("PUT /cluster/ha/rules/{rule}")
async def update(call: Call) -> None:
    """Change a rule; its type is named and cannot change."""
    await call.cluster.config_lock(call.node, _LOCK)
    name, ha = call["rule"], call.cluster.ha
    if name not in ha.rules:
        raise PveError(f"{_UPDATE}HA rule '{name}' does not exist")
    if call.get("digest") not in (None, digest(ha.rules)):
        raise PveError(f"{_UPDATE}detected modified configuration - file changed by other user? Try again.")
    before = ha.rules[name]
    if call["type"] != before["type"]:
        raise PveError(f"{_UPDATE}HA rule '{name}' is of type '{before['type']}'")
    changes = {key: value for key, value in call.parameters.items() if key not in ("rule", "delete", "digest")}
    deleted = ha_rules.words(call.get("delete"))
    properties = _checked(call, {k: v for k, v in {**before, **changes}.items() if k not in deleted}, _UPDATE)
    _feasible(call, name, properties, _UPDATE)
    if properties != before:
        ha.rules[name] = properties
        call.cluster.world.record("pve", "ha.rule.update", name, **changes, **dict.fromkeys(deleted))


@routes.on("DELETE /cluster/ha/rules/{rule}")
async def delete(call: Call) -> None:
    """Remove a rule; no error when there is none."""
    await call.cluster.config_lock(call.node, _LOCK)
    if call.cluster.ha.rules.pop(call["rule"], None) is not None:
        call.cluster.world.record("pve", "ha.rule.delete", call["rule"])


def _checked(call: Call, properties: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The rule in its canonical form, if what it names exists."""
    ha, needed = call.cluster.ha, _NEEDED[properties["type"]]
    if not properties.get(needed):
        raise PveError(f"{prefix}no nodes were specified" if needed == "nodes" else f"{prefix}missing 'affinity'")
    named = ha_rules.resources(properties)
    if not named:
        raise PveError(f"{prefix}no resources were specified")
    if foreign := [sid for sid in named if sid not in ha.resources]:
        raise PveError(f"{prefix}cannot use unmanaged resource(s) {', '.join(foreign)}.")
    if absent := [node for node in ha_rules.priorities(properties) if node not in call.cluster.world.nodes]:
        raise PveError(f"{prefix}cannot use non-existent node(s) {', '.join(absent)}.")
    found = {**properties, "resources": ",".join(named)}
    if "nodes" in found:
        found["nodes"] = ha_rules.node_list(properties)
    return found


def _feasible(call: Call, name: str, properties: dict[str, Any], prefix: str) -> None:
    others = {key: value for key, value in call.cluster.ha.rules.items() if key != name}
    wrong = ha_rules.problems({**others, name: properties}, call.cluster.world.nodes).get(name)
    if wrong:
        lines = "".join(f"\n{field}: {text}" for field, texts in wrong.items() for text in texts)
        raise PveError(f"{prefix}Rule '{name}' is invalid.{lines}", status=400)


def _entry(call: Call, name: str) -> dict[str, Any]:
    """A rule as lists show it; a `disable` that is off is left out, a `strict` that was sent is told as it was sent."""
    found = _file(call)
    entry: dict[str, Any] = {"rule": name, "digest": digest(found), **found[name]}
    if not entry.get("disable"):
        entry.pop("disable", None)
    if wrong := ha_rules.problems(found, call.cluster.world.nodes).get(name):
        entry["errors"] = wrong
    return entry | {"order": list(found).index(name) + 1}
