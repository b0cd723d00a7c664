"""The directories of the API: what lies below a path, as far as PVE's schema knows it and the twin answers it."""

import gzip
import json
from typing import Any

from lab.pve.daemon.calls import Call, Handler, Routes
from lab.pve.daemon.schema import SOURCE

# The directories that people and clients walk through.
DIRECTORIES = (
    "/access",
    "/cluster",
    "/cluster/config",
    "/cluster/ha",
    "/cluster/ha/status",
    "/nodes/{node}",
    "/nodes/{node}/disks",
    "/nodes/{node}/lxc/{vmid}",
    "/nodes/{node}/lxc/{vmid}/status",
    "/nodes/{node}/qemu/{vmid}",
    "/nodes/{node}/qemu/{vmid}/status",
    "/nodes/{node}/scan",
    "/nodes/{node}/services/{service}",
    "/nodes/{node}/storage/{storage}",
    "/nodes/{node}/tasks/{upid}",
)


def _directory(names: list[str], key: str) -> Handler:
    async def index(_: Call) -> list[dict[str, str]]:
        return [{key: name} for name in names]

    return index


def indexes() -> Routes:
    """A handler for each directory; PVE calls an entry `subdir`, `id` or `name`, as each schema says."""
    paths: dict[str, dict[str, Any]] = json.loads(gzip.decompress(SOURCE.read_bytes()))["paths"]
    routes = Routes()
    for template in DIRECTORIES:
        below = (path.removeprefix(f"{template}/") for path in paths if path.startswith(f"{template}/"))
        children = {path.partition("/")[0] for path in below}
        names = sorted(name for name in children if not name.startswith("{"))
        properties = paths[template]["GET"]["returns"]["items"]["properties"]
        key = next((name for name in ("subdir", "id", "method") if name in properties), "name")
        routes.table["GET", template] = _directory(names, key)
    return routes


routes = indexes()
