"""The arrays as they were: who they are, and what our hosts have on them. Made by the calls that clients make."""

from typing import TYPE_CHECKING, Any

from lab.physics import fabric
from lab.probed.facts import Facts
from lab.purity import responses
from lab.purity.queries import Query
from lab.purity.responses import Call, Write

if TYPE_CHECKING:
    from lab.purity.models import Array
    from lab.world import World

# A pod without data is stretched in a few seconds.
_STRETCHED_WITHIN = 60.0


def identify(world: "World", facts: Facts) -> None:
    """Names that came from the factory, versions and ports."""
    for name, array in world.arrays.items():
        about = facts.item("array", name, "array")
        array.id, array.purity = about.get("id", array.id), about.get("version", array.purity)
        levels = facts.value("array", name, "levels")
        array.versions = tuple(levels) if levels else array.versions
        if world.inventory.transport == "fc":
            _fibre(array, facts)
            continue
        if world.inventory.transport == "nvme-tcp":
            _subsystem(array, facts)
            continue
        ports = [port for port in facts.rows("array", name, "portals") if port.get("portal") and port.get("iqn")]
        ports = ports or _ports_as_nodes_know_them(world, facts)
        if ports:
            array.target_iqn, array.portals = ports[0]["iqn"], tuple(port["portal"] for port in ports)
            array.port_names = tuple(port["name"] for port in ports)
            array.network = array.portals[0].rpartition(":")[0].rpartition(".")[0]
        _serials(array, facts)
    if world.inventory.transport == "fc":  # HBAs that were logged in elsewhere log in here
        for host in world.nodes.values():
            host.sessions.clear()
        fabric.log_in_all(world)


def _serials(array: "Array", facts: Facts) -> None:
    for volume in facts.rows("array", array.name, "volumes"):
        array.serials[volume["name"]] = volume["serial"]


def _subsystem(array: "Array", facts: Facts) -> None:
    """Its NVMe ports, and the subsystem under which it shows namespaces."""
    if ports := [port for port in facts.rows("array", array.name, "portals") if port.get("nqn") and port.get("portal")]:
        array.nqn, array.portals = ports[0]["nqn"], tuple(port["portal"] for port in ports)
        array.port_names = tuple(port["name"] for port in ports)
        array.network = array.portals[0].rpartition(":")[0].rpartition(".")[0]
    _serials(array, facts)


def _fibre(array: "Array", facts: Facts) -> None:
    """Its ports, by their WWNs."""
    if ports := [port for port in facts.rows("array", array.name, "portals") if port.get("wwn")]:
        array.portals = tuple(port["wwn"] for port in ports)
        array.port_names = tuple(port["name"] for port in ports)
    _serials(array, facts)


def _ports_as_nodes_know_them(world: "World", facts: Facts) -> list[dict[str, str]]:
    """Those of an array that was silent: what nodes have noted, and no other array has."""
    told = {port.get("iqn") for name in world.arrays for port in facts.rows("array", name, "portals")}
    found: dict[str, str] = {}
    for node in world.nodes:
        known: dict[str, str] = {}
        for line in facts.lines("node", node, "records"):
            key, _, value = line.partition(" = ")
            known[key] = value
            if line == "# END RECORD" and known.get("node.name") not in told:
                portal = f"{known.get('node.conn[0].address')}:{known.get('node.conn[0].port')}"
                found[portal] = known.get("node.name", "")
    half = (len(found) + 1) // 2
    return [
        {"name": f"CT{number // half}.ETH{4 + number % half}", "portal": portal, "iqn": iqn}
        for number, (portal, iqn) in enumerate(sorted(found.items()))
    ]


async def build(world: "World", facts: Facts) -> None:
    """Pod, volumes, hosts, groups and connections."""
    for pod in facts.pods(world.inventory):
        await _pod(world, facts, pod)
    for name, array in world.arrays.items():
        _alone(world, facts, name)
        _called(array, facts)
        _hosts(world, facts, name)
        _connections(world, facts, name)


async def _pod(world: "World", facts: Facts, pod: dict[str, Any]) -> None:
    """One pod with its volumes, on both arrays."""
    inventory = world.inventory
    first = next((one.first for one in inventory.all_pods if one.name == pod["name"]), inventory.all_pods[0].first)
    teller = facts.instead("array", first, world.arrays, "volumes")
    wishes = {"failover_preferences": pod["failover_preferences"]} if pod.get("failover_preferences") else {}
    _call(world, first, responses.post_pods, wishes, names=pod["name"])
    for volume in facts.rows("array", teller, "volumes"):
        if (volume.get("pod") or {}).get("name") == pod["name"]:
            size = {"provisioned": volume["provisioned"]}
            _call(world, first, responses.post_volumes, size, names=volume["name"])
    other = inventory.peer(first).name
    _call(world, first, responses.post_pod_members, pod_names=pod["name"], member_names=other)
    await _stretched(world, first, pod["name"])


def _alone(world: "World", facts: Facts, name: str) -> None:
    """Volumes of one array that are in no pod."""
    for volume in facts.rows("array", name, "volumes"):
        if not volume.get("pod"):
            size = {"provisioned": volume["provisioned"]}
            _call(world, name, responses.post_volumes, size, names=volume["name"])


def _called(array: "Array", facts: Facts) -> None:
    """Pods and volumes by the ids that they had."""
    pods = {one["name"]: one["id"] for one in facts.rows("array", array.name, "pods") if "id" in one}
    volumes = {one["name"]: one["id"] for one in facts.rows("array", array.name, "volumes") if "id" in one}
    for pod in array.pods:
        pod.id = pods.get(pod.name, pod.id)
    for volume in array.all_volumes():
        volume.id = volumes.get(volume.full_name, volume.id)


def _hosts(world: "World", facts: Facts, name: str) -> None:
    groups = dict.fromkeys([world.inventory.array(name).host_group] if facts.item("array", name, "host-group") else [])
    teller = facts.instead("array", name, world.arrays, "hosts")
    hosts = [_of(one, world, teller, name) for one in facts.rows("array", teller, "hosts")]
    groups |= dict.fromkeys(group for one in hosts if (group := (one.get("host_group") or {}).get("name")))
    for group in groups:
        _call(world, name, responses.post_host_groups, names=group)
    for one in hosts:
        body = {key: one[key] for key in ("iqns", "wwns", "nqns", "preferred_arrays", "personality") if one.get(key)}
        _call(world, name, responses.post_hosts, body, names=one["name"])
        if group := (one.get("host_group") or {}).get("name"):
            _call(world, name, responses.post_memberships, group_names=group, member_names=one["name"])


def _connections(world: "World", facts: Facts, name: str) -> None:
    made = set()
    known = {one.full_name for one in world.arrays[name].all_volumes()}
    teller = facts.instead("array", name, world.arrays, "connections")
    for row in (_of(one, world, teller, name) for one in facts.rows("array", teller, "connections")):
        group, host = (row.get("host_group") or {}).get("name"), (row.get("host") or {}).get("name")
        volume, target = row["volume"]["name"], group or host
        if target is None or volume not in known or (target, volume) in made:
            continue
        made.add((target, volume))
        lun = {"lun": row["lun"]} if row.get("lun") else {}  # namespaces are numbered by the array
        side = {"host_group_names": group} if group else {"host_names": host}
        _call(world, name, responses.post_connections, lun, volume_names=volume, **side)


def _of(row: dict[str, Any], world: "World", teller: str, name: str) -> dict[str, Any]:
    """What one array has told, for the other one: its own group, and the LUN that the inventory has for it."""
    if teller == name:
        return row
    inventory = world.inventory
    group = (
        {"host_group": {"name": inventory.array(name).host_group}} if (row.get("host_group") or {}).get("name") else {}
    )
    known = {disk.volume_name: disk.pod.volume.luns for disk in inventory.disks}
    luns = known.get((row.get("volume") or {}).get("name", ""), {})
    lun = {"lun": luns.get(name, row["lun"])} if "lun" in row else {}
    return {**row, **group, **lun}


async def _stretched(world: "World", first: str, name: str) -> None:
    until = world.clock.now() + _STRETCHED_WITHIN
    pod = next(pod for pod in world.arrays[first].pods if pod.name == name)
    while not all(pod.state(array).status == "online" for array in world.arrays.values()):
        if world.clock.now() > until:
            raise TimeoutError(
                f"pod {pod.name} was not online on both arrays after {_STRETCHED_WITHIN:.0f} lab seconds"
            )
        await world.clock.sleep(0.5)


def _call(world: "World", array: str, write: Write, body: dict[str, Any] | None = None, **query: str) -> None:
    write(Call(world.arrays[array], Query(query), body or {}))
