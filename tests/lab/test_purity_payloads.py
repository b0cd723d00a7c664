"""Every item that the arrays answer fits the vendor's own model of REST 2.44: strict types, and no field too many."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pydantic.v1 import BaseModel, StrictInt, ValidationError
from pypureclient.flasharray.FA_2_44 import models as m

from lab.built import build
from lab.purity.urls import READS
from lab.purity.views import performance
from lab.purity.views.performance import Load
from lab.purity.views.settings import NONE_OF
from tests.twin import TwinThread

MODELS: dict[str, type[BaseModel]] = {
    "/admins": m.Admin,
    "/alerts": m.Alert,
    "/api-clients": m.ApiClient,
    "/admins/settings": m.AdminSettings,
    "/alert-watchers": m.AlertWatcher,
    "/array-connections": m.ArrayConnection,
    "/array-connections/connection-key": m.ArrayConnectionKey,
    "/array-connections/path": m.ArrayConnectionPath,
    "/arrays": m.Arrays,
    "/arrays/performance": m.ArrayPerformance,
    "/arrays/space": m.ArraySpace,
    "/audits": m.Audit,
    "/certificates": m.Certificate,
    "/connections": m.Connection,
    "/container-default-protections": m.ContainerDefaultProtection,
    "/controllers": m.Controller,
    "/directory-services": m.DirectoryService,
    "/dns": m.Dns,
    "/drives": m.Drive,
    "/hardware": m.Hardware,
    "/host-groups": m.HostGroup,
    "/host-groups/hosts": m.MemberNoIdAll,
    "/host-groups/performance": m.ResourcePerformanceNoId,
    "/host-groups/performance/by-array": m.ResourcePerformanceNoIdByArray,
    "/host-groups/space": m.ResourceSpaceNoId,
    "/hosts": m.Host,
    "/hosts/host-groups": m.MemberNoIdAll,
    "/hosts/performance": m.ResourcePerformanceNoId,
    "/hosts/performance/balance": m.HostPerformanceBalance,
    "/hosts/performance/by-array": m.ResourcePerformanceNoIdByArray,
    "/hosts/space": m.ResourceSpaceNoId,
    "/network-interfaces": m.NetworkInterface,
    "/network-interfaces/performance": m.NetworkInterfacePerformance,
    "/pods": m.Pod,
    "/pods/arrays": m.Member,
    "/pods/members": m.PodMember,
    "/pods/performance": m.ContainerPerformance,
    "/pods/performance/by-array": m.PodPerformanceByArray,
    "/pods/performance/replication": m.PodPerformanceReplication,
    "/pods/space": m.ResourcePodSpace,
    "/pods/performance/replication/by-array": m.PodPerformanceReplicationByArray,
    "/ports": m.Port,
    "/ports/initiators": m.PortInitiator,
    "/remote-arrays": m.RemoteArray,
    "/remote-pods": m.RemotePod,
    "/sessions": m.Session,
    "/smi-s": m.Smis,
    "/smtp-servers": m.SmtpServer,
    "/snmp-agents": m.SnmpAgent,
    "/subscriptions": m.Subscription,
    "/support": m.Support,
    "/volumes": m.Volume,
    "/volumes/performance": m.ResourcePerformance,
    "/volumes/performance/by-array": m.ResourcePerformanceByArray,
    "/volumes/space": m.VolumeSpace,
}
# What a built cluster has none of: nobody has registered an API client, and its pod is on both arrays.
EMPTY = {"/api-clients", "/remote-pods"}
# What a captured array sends beyond the SDK's model of its space.
BEYOND = {("/arrays", "space.replication"), ("/arrays/space", "space.replication")}
# What the models have and nobody is sent.
NOT_SENT = {
    ("/admins", "password"): "written, never read",
    ("/directory-services", "bind_password"): "written, never read",
    ("/smtp-servers", "password"): "written, never read",
    ("/array-connections", "throttle.default_limit"): "a link that nobody throttles has an empty throttle",
    ("/array-connections", "throttle.window"): "the same",
    ("/array-connections", "throttle.window_limit"): "the same",
    ("/arrays", "_as_of"): "only where a client asks for another time",
}


@pytest.fixture
def items(twin: TwinThread) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """What each path answers on a built cluster whose arrays have lost their link, so that there are alerts."""
    twin.call(build(twin.world))

    async def cut() -> None:
        twin.world.links.cut("replication")

    twin.call(cut())
    array, base = twin.inventory.arrays[0], twin.path.parent
    token = (base / array.api_token.removeprefix("file:")).read_text()
    url = f"https://{array.address}/api/2.44"
    with requests.Session() as session:
        session.trust_env = False  # a CA bundle in the environment would win over this one
        session.verify = str(base / (array.ca or ""))
        login = session.post(f"{url}/login", headers={"api-token": token}, timeout=10)
        session.headers["x-auth-token"] = login.headers["x-auth-token"]
        yield {path: session.get(url + path, timeout=10).json()["items"] for path in MODELS}


def test_every_item_fits_the_vendors_model(items):
    """Strict: an integer is no float, and null only where the model allows it."""
    wrong = {(path, bad) for path, found in items.items() for one in found for bad in misfits(one, MODELS[path])}
    beyond = {(path, bad.removesuffix(": unknown")) for path, bad in wrong if bad.endswith(": unknown")}

    assert {(path, bad) for path, bad in wrong if not bad.endswith(": unknown")} == set()
    assert beyond == BEYOND
    assert {path for path, found in items.items() if not found} == EMPTY


def test_every_field_of_the_vendors_model_is_sent(items):
    """Stock clients read fields without asking whether they are there; one that is missing crashes them."""
    absent = {(path, field) for path, found in items.items() for one in found for field in missing(one, MODELS[path])}

    assert absent == NOT_SENT.keys()


def test_rows_of_performance_are_as_captured(twin: TwinThread):
    """Times in microseconds and sizes in bytes are 0 where nothing is done; the depth of a queue is no longer told."""
    array = next(iter(twin.world.arrays.values()))
    busy, idle = Load(mirrored=2).counters(array), Load().counters(array)

    assert (busy["writes_per_sec"], busy["usec_per_write_op"], busy["bytes_per_write"]) == (0, 0, 0)
    assert busy["bytes_per_mirrored_write"] * busy["mirrored_writes_per_sec"] == busy["mirrored_write_bytes_per_sec"]
    assert busy["service_usec_per_mirrored_write_op"] == busy["usec_per_mirrored_write_op"] > 0
    assert busy["service_usec_per_read_op_cache_reduction"] is None
    assert {value for name, value in idle.items() if name != "time"} == {0, None}
    assert performance.arrays(array)[0]["queue_depth"] is None


def test_space_is_null_only_in_what_is_not_counted(items):
    """An array counts what is shared and its own metadata, a pod what is shared; volumes and hosts do not."""
    spaces = {path: items[path][0]["space"] for path in ("/arrays", "/pods", "/volumes", "/hosts", "/host-groups")}

    assert {path: (space["shared"], space["system"]) for path, space in spaces.items()} == {
        "/arrays": (0, 0), "/pods": (0, None), "/volumes": (None, None), "/hosts": (None, None),
        "/host-groups": (None, None),
    }  # fmt: skip
    assert items["/pods/space"][0]["space"] == spaces["/pods"]
    assert items["/volumes/space"][0]["space"] == spaces["/volumes"]


def test_every_read_has_a_model():
    """A new path must be entered above, or be one of those that are always empty."""
    assert READS.keys() - NONE_OF.keys() - MODELS.keys() == set()


class _Inner(BaseModel):
    size: StrictInt


class _Outer(BaseModel):
    inner: list[_Inner]


def test_misfits_are_found():
    """The check itself: a wrong type, and a field too many two levels down."""
    assert list(misfits({"inner": [{"size": "1"}]}, _Outer)) == ["inner.0.size: value is not a valid integer"]
    assert list(misfits({"inner": [{"size": 1, "colour": 2}]}, _Outer)) == ["inner.colour: unknown"]


def misfits(item: dict[str, Any], model: type[BaseModel]) -> Iterator[str]:
    """Where an item is not what the model says, and in what."""
    try:
        model.parse_obj(item)
    except ValidationError as error:
        for one in error.errors():
            yield f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
    yield from unknown(item, model, "")


def unknown(item: dict[str, Any], model: type[BaseModel], where: str) -> Iterator[str]:
    """The fields that the model does not have, at any depth."""
    fields = {field.alias: field for field in model.__fields__.values()}
    for name, value in item.items():
        if name not in fields:
            yield f"{where}{name}: unknown"
            continue
        inner = fields[name].type_
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    yield from unknown(each, inner, f"{where}{name}.")


def missing(item: dict[str, Any], model: type[BaseModel], where: str = "") -> Iterator[str]:
    """The fields of the model that the item does not have, at any depth."""
    for field in model.__fields__.values():
        if field.alias not in item:
            yield where + field.alias
            continue
        value, inner = item[field.alias], field.type_
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    yield from missing(each, inner, f"{where}{field.alias}.")
