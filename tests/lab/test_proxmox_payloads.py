"""Every GET that the nodes answer fits what PVE's own schema says it returns: types, enumerations, required fields."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from lab.built import add_guest
from lab.pve.daemon.schema import SOURCE
from lab.pve.urls import routes
from tests.lab.pve import FIRST, SECOND, Nodes, nodes, served, until

__all__ = ["nodes", "served"]  # fixtures

SCHEMA: dict[str, dict[str, Any]] = json.loads(gzip.decompress(SOURCE.read_bytes()))["paths"]
GETS = sorted(template for verb, template in routes().table if verb == "GET")

# What a real cluster answers against its own schema, as the reference says.
KNOWN = {
    ("/cluster/nextid", "", "type"),  # an integer there, text on the wire (reference: proxmox-api §1)
}


def described(nodes: Nodes) -> dict[str, str]:
    """A cluster in which there is one of everything, and how each is called in a path."""
    api = nodes.api()
    nodes.shared_storage()
    nodes.running_guest(300)
    add_guest(nodes.world, 310, FIRST, "lxc")
    nodes.all_rights()
    root = nodes.root()
    root.pools.post(poolid="lab", comment="of the lab")
    root.pools("lab").put(vms="300", storage="pxmx-ac-shared")
    root.access.groups.post(groupid="operators", comment="on call")
    root.access.users.post(userid="anna@pve", password="long-enough", groups="operators", email="anna@lab.example")
    root.access.acl.put(path="/vms", users="anna@pve", roles="PVEVMUser")
    api.cluster.ha.resources.post(sid="vm:300", state="started", comment="kept")
    api.cluster.ha.rules.post(rule="home", type="node-affinity", resources="vm:300", nodes=f"{FIRST}:2,{SECOND}:1")
    for kind, properties in TARGETS.items():
        root.cluster.notifications.endpoints(kind).post(name=kind, **properties)
    root.cluster.notifications.matchers.post(name="all", target=["webhook"], **{"match-severity": "error"})
    api.cluster.backup.post(id="nightly", all=1, schedule="sat 02:00", storage="local", fleecing="enabled=0")
    nodes.world.membership.set_up_device(settled=True)
    until(lambda: api.cluster.ha.status.manager_status.get(), lambda found: bool(found["manager_status"]))
    task = api.nodes(FIRST).tasks.get(source="all", vmid=300, typefilter="qmstart")[0]
    return {
        "node": FIRST, "vmid": "300", "storage": "pxmx-ac-shared", "upid": task["upid"], "service": "corosync",
        "sid": "vm:300", "rule": "home", "userid": "engine@pve", "tokenid": "runbook", "groupid": "operators",
        "roleid": "PVEAuditor", "poolid": "lab", "realm": "pve", "iface": "vmbr0", "zone": "localnetwork",
        "id": "nightly",
        "volume": "pxmx-ac-shared:vm-300-disk-0",
    }  # fmt: skip


TARGETS: dict[str, dict[str, Any]] = {
    "webhook": {"url": "https://127.0.0.1/hook", "method": "post"},
    "gotify": {"server": "https://127.0.0.1", "token": "t"},
    "sendmail": {"mailto": "root@localhost"},
    "smtp": {"server": "127.0.0.1", "from-address": "root@localhost", "mailto": "root@localhost"},
}


def filled(template: str, names: Mapping[str, str]) -> str:
    if template.startswith("/cluster/notifications/endpoints/"):
        names = {**names, "name": template.split("/")[4]}
    if template.startswith("/cluster/notifications/matchers/"):
        names = {**names, "name": "all"}
    if template.startswith("/nodes/{node}/lxc/{vmid}"):
        names = {**names, "vmid": "310"}
    return re.sub(r"\{([^}]+)\}", lambda found: quote(names[found[1]], safe=""), template)


def misfits(value: Any, rule: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Where a value is not what its rule says, and in what."""
    kind = rule.get("type", "any")
    if not of_type(value, kind):
        yield where, "type"
        return
    if (allowed := rule.get("enum")) and str(value) not in map(str, allowed):
        yield where, f"enum {value}"
    if kind == "array":
        for item in value:
            yield from misfits(item, rule.get("items", {}), f"{where}[]")
    if kind == "object" and "properties" in rule:
        yield from misfits_of_object(value, rule, where)


def misfits_of_object(value: Mapping[str, Any], rule: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    properties = rule["properties"]
    for name, field in properties.items():
        if name in value:
            yield from misfits(value[name], field, f"{where}.{name}")
        elif not field.get("optional") and "[n]" not in name:
            yield f"{where}.{name}", "missing"
    if rule.get("additionalProperties") == 0:
        for name in value.keys() - properties.keys():
            yield f"{where}.{name}", "unknown"


def of_type(value: Any, kind: str) -> bool:
    """As PVE's clients take it: its numbers may be text where they come from a configuration file."""
    return {
        "integer": lambda: re.fullmatch(r"-?\d+", str(value)) is not None and not isinstance(value, bool),
        "number": lambda: re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", str(value)) is not None,
        "boolean": lambda: value in (0, 1, "0", "1"),
        "string": lambda: isinstance(value, str | int | float) and not isinstance(value, bool),
        "array": lambda: isinstance(value, list),
        "object": lambda: isinstance(value, dict),
        "null": lambda: value is None,
    }.get(kind, lambda: True)()


def test_every_answer_fits_pves_own_schema(nodes):
    """One of everything, and each call that reads."""
    names = described(nodes)
    found: dict[str, object] = {}
    for template in GETS:
        answer = nodes.http("GET", filled(template, names), params=WANTED.get(template))
        if answer.status_code != 200:
            found[template] = answer.reason
        elif wrong := {
            (where, what)
            for where, what in misfits(answer.json()["data"], SCHEMA[template]["GET"].get("returns") or {})
            if (template, where, what) not in KNOWN
        }:
            found[template] = sorted(wrong)

    assert found == REFUSED


# Parameters without which a call is refused.
WANTED: dict[str, dict[str, Any]] = {
    "/nodes/{node}/qemu/{vmid}/feature": {"feature": "copy"},
    "/nodes/{node}/lxc/{vmid}/feature": {"feature": "copy"},
    "/nodes/{node}/scan/lvmthin": {"vg": "pxmx-ac-vg"},
    "/nodes/{node}/rrddata": {"timeframe": "hour"},
    "/nodes/{node}/qemu/{vmid}/rrddata": {"timeframe": "hour"},
    "/nodes/{node}/lxc/{vmid}/rrddata": {"timeframe": "hour"},
    "/nodes/{node}/storage/{storage}/rrddata": {"timeframe": "hour"},
}
# Calls that a real cluster refuses, too.
REFUSED: dict[str, object] = {"/cluster/ha/groups": "cannot index groups: ha groups have been migrated to rules"}


@pytest.mark.parametrize(
    ("value", "rule", "wrong"),
    [
        ("x", {"type": "integer"}, [("", "type")]),
        ({"a": 1}, {"type": "object", "properties": {"b": {"type": "string"}}}, [(".b", "missing")]),
        ([{"a": "z"}], {"type": "array", "items": {"type": "object", "properties": {"a": {"enum": ["y"]}}}},
         [("[].a", "enum z")]),
        ({"a": 1}, {"type": "object", "properties": {}, "additionalProperties": 0}, [(".a", "unknown")]),
    ],
)  # fmt: skip
def test_misfits_are_found(value, rule, wrong):
    """The check itself: a type, a missing field, a word that is not in the list, a field too many."""
    assert list(misfits(value, rule)) == wrong
