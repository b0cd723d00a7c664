"""Every item that the arrays answer fits the vendor's own model of REST 2.44: strict types, and no field too many."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pydantic.v1 import BaseModel, StrictInt, ValidationError
from pypureclient.flasharray.FA_2_44 import models as m

from lab.built import build
from lab.purity.settings import NONE_OF
from lab.purity.urls import READS
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
    "/hosts": m.Host,
    "/hosts/host-groups": m.MemberNoIdAll,
    "/hosts/performance": m.ResourcePerformanceNoId,
    "/hosts/performance/balance": m.HostPerformanceBalance,
    "/hosts/performance/by-array": m.ResourcePerformanceNoIdByArray,
    "/network-interfaces": m.NetworkInterface,
    "/network-interfaces/performance": m.NetworkInterfacePerformance,
    "/pods": m.Pod,
    "/pods/arrays": m.Member,
    "/pods/members": m.PodMember,
    "/pods/performance": m.ContainerPerformance,
    "/pods/performance/by-array": m.PodPerformanceByArray,
    "/pods/performance/replication": m.PodPerformanceReplication,
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
}
# What a built cluster has none of: nobody has registered an API client, and its pod is on both arrays.
EMPTY = {"/api-clients", "/remote-pods"}
# Fields beyond the SDK's models. Arrays send the first two (reference: flasharray-rest, §§1 and 5); the others are only
# the twin's, and harmless: the SDK drops what it does not know.
BEYOND = {"context", "space.replication", "others_per_sec", "role.id", "notification", "source.id", "name"}


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
    beyond = {bad.removesuffix(": unknown") for _, bad in wrong if bad.endswith(": unknown")}

    assert {(path, bad) for path, bad in wrong if not bad.endswith(": unknown")} == set()
    assert beyond == BEYOND
    assert {path for path, found in items.items() if not found} == EMPTY


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
