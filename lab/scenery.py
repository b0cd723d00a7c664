"""What stands around an inventory's cluster when the twin begins: the things that people have and runbooks meet.

An inventory says what is to be; a *scenery* says what is there besides: guests that nobody asked for, backup jobs, a
rebalancer, other clusters on the witness, names of multipath maps. It is the twin's alone, in a file beside the
inventory: ``metro.lab.yaml`` for ``metro.yaml``. No runbook reads it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.built import add_guest
from lab.control import surroundings
from lab.physics.disks import EXTENT, LOCAL_MAPS, VolumeGroup
from lab.pve.ha.commands import MAINTENANCE
from lab.pve.models import Storage
from lab.serving.certificates import Style

if TYPE_CHECKING:
    from lab.world import World

# The disk that Proxmox VE is installed on: LVM lists its group beside the shared one.
_ROOT_DISK, _ROOT_SIZE = "/dev/nvme0n1p3", 99 * 2**30
# Rounds of ten seconds: a master, its nodes, an order taken up.
_HA_WITHIN = 120.0
_SUFFIX = ".lab.yaml"


class BadScenery(Exception):
    """A scenery file that cannot be used; the text says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SceneryGuest(_Part):
    """A guest that the inventory does not name. `memory` in MiB; `ha` is what HA is asked for, if it knows it."""

    vmid: int
    node: str
    kind: Literal["qemu", "lxc"] = "qemu"
    name: str = ""
    running: bool = True
    memory: int = 1024
    ha: Literal["started", "stopped", "ignored", "disabled"] | None = None


class Multipath(_Part):
    """How maps are called, and which foreign ones there are."""

    friendly_names: tuple[str, ...] | Literal["all"] = ()  # nodes with user_friendly_names
    alias: str | None = None  # of the pod's volume, on every node; friendly names then matter to foreign maps alone
    local_maps: dict[str, tuple[str, ...]] = {}  # node -> shapes of disks of its own


class Beside(_Part):
    """A volume of one array, in no pod, that all nodes see."""

    array: str
    name: str
    lun: Annotated[int, Field(ge=1, le=4095)]


class Scenery(_Part):
    """All of it. What is made of storage or guests comes with the built cluster, the rest is always there."""

    neighbours: dict[str, Annotated[int, Field(ge=1)]] = {}  # clusters on the same witness -> number of nodes
    options: dict[str, str] = {}  # of datacenter.cfg
    storages: dict[str, dict[str, Any]] = {}
    jobs: dict[str, dict[str, Any]] = {}  # backup jobs by id
    root_group: str | None = None  # the volume group of each node's own disk
    multipath: Multipath = Multipath()
    beside: tuple[Beside, ...] = ()
    guests: tuple[SceneryGuest, ...] = ()
    certificates: Style = "made"  # or `delivered`: as PVE, arrays and controllers come
    maintenance: tuple[str, ...] = ()  # nodes that rest since before the world begins


def beside(inventory: Path) -> Path:
    """Where the scenery of an inventory file stands."""
    return inventory.with_name(inventory.name.removesuffix(inventory.suffix) + _SUFFIX)


def read(inventory: Path) -> Scenery:
    """The scenery beside an inventory file; an empty one when there is none."""
    path = beside(inventory)
    if not path.exists():
        return Scenery()
    try:
        return Scenery.model_validate(yaml.safe_load(path.read_text()) or {})
    except (ValidationError, yaml.YAMLError) as error:
        raise BadScenery(f"{path}: {error}") from None


def surround(world: "World", scenery: Scenery) -> None:
    """What is there before any deployment."""
    world.neighbours |= scenery.neighbours
    cluster = world.cluster
    cluster.options |= scenery.options
    for name, settings in scenery.storages.items():
        properties = {key: value for key, value in settings.items() if key != "type"}
        cluster.storages[name] = Storage(name, str(settings["type"]), properties)
    cluster.jobs |= {name: {"enabled": 1, **job} for name, job in scenery.jobs.items()}
    friendly = tuple(world.nodes) if scenery.multipath.friendly_names == "all" else scenery.multipath.friendly_names
    for name in friendly:
        world.nodes[name].friendly_names = True
    for name, shapes in scenery.multipath.local_maps.items():
        world.nodes[name].local_maps += [LOCAL_MAPS[shape] for shape in shapes]
    if scenery.root_group:
        for host in world.nodes.values():
            host.local_groups[_ROOT_DISK] = VolumeGroup(scenery.root_group, _ROOT_SIZE // EXTENT * EXTENT)


async def furnish(world: "World", scenery: Scenery) -> None:
    """What comes with the built cluster; HA takes some lab seconds to let a node rest."""
    for one in scenery.beside:
        surroundings.present(world, one.array, one.name, one.lun)
    for host in world.nodes.values() if scenery.multipath.alias else ():
        surroundings.name_volume(world, host, str(scenery.multipath.alias))
    for guest in scenery.guests:
        add_guest(
            world, guest.vmid, guest.node, guest.kind,
            name=guest.name, running=guest.running, memory=guest.memory, ha=guest.ha,
        )  # fmt: skip
    for node in scenery.maintenance:
        await _until_ha_says(world, node, "online")
        world.cluster.ha.commands.append((MAINTENANCE, node, "enable"))
    for node in scenery.maintenance:
        await _until_ha_says(world, node, "maintenance")


async def _until_ha_says(world: "World", node: str, state: str) -> None:
    until = world.clock.now() + _HA_WITHIN
    while (manager := world.cluster.ha.manager) is None or manager.nodes.get(node) != state:
        if world.clock.now() > until:
            raise TimeoutError(f"HA did not call {node} {state} within {_HA_WITHIN:.0f} lab seconds")
        await world.clock.sleep(0.5)
