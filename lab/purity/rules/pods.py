"""Pods: made on one array, stretched to the other, and given up again.

A stretched pod is one object that both arrays hold, so they can never tell different stories about it.
The states of its life are computed from lab time when somebody looks; nothing runs in the background.
"""

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.purity.errors import Refused, exists, missing
from lab.purity.rules import links
from lab.purity.rules.mirror import COPY_RATE, HANDSHAKE, Mirror, State, sole
from lab.purity.rules.names import check, find, reference, same

if TYPE_CHECKING:
    from lab.purity.models import Array
    from lab.purity.rules.volumes import Volume

# Lab seconds the copy of an empty pod takes: "online in a few seconds" (reference: flasharray-rest §6.1).
EMPTY_COPY = 2.0
# The mediators an array can reach; changing to another one fails (reference: flasharray-rest §5.3).
MEDIATORS = ("purestorage",)
RESTRETCH = ".restretch"


@dataclass(eq=False)
class Member:
    """An array of a pod."""

    array: str


@dataclass(eq=False)
class Pod:
    """A pod with its volumes."""

    id: str
    name: str
    members: list[Member]
    volumes: "list[Volume]" = field(default_factory=list)
    failover_preferences: list[str] = field(default_factory=list)
    quota_limit: int | None = None
    mediator: str = "purestorage"
    promotion: str = "promoted"
    source: "Pod | None" = None
    destroyed_at: float | None = None
    written: int = 0  # of a restretch copy: bytes it holds already
    mirror: Mirror | None = None  # while it is stretched

    @property
    def stretched(self) -> bool:
        """More than one array."""
        return len(self.members) > 1

    @property
    def restretch(self) -> bool:
        """What an unstretched array keeps; no user can make such a name."""
        return self.name.endswith(RESTRETCH)

    def state(self, array: "Array") -> State:
        """The copy of an array, as that array itself knows it."""
        if not any(member.array == array.name for member in self.members):
            return State("unknown")
        return self.mirror.state(array.name) if self.mirror else sole(array)


def named(array: "Array", name: str, *, live: bool = False) -> Pod:
    """The pod of that name on this array."""
    pod = find(array.pods, name)
    if pod is None:
        raise missing("Pod", name)
    if live and pod.destroyed_at is not None:
        raise Refused("Pod has been destroyed.", pod.name)
    return pod


def create(array: "Array", name: str, body: dict[str, Any]) -> Pod:
    """A new pod on this array alone, empty or as a clone of another one."""
    check("Pod", name)
    if find(array.pods, name):
        raise exists("Pod", name)
    source = named(array, reference(body["source"])) if body.get("source") else None
    pod = Pod(
        id=str(uuid.uuid4()),
        name=name,
        members=[Member(array.name)],
        failover_preferences=_preferences(array, body.get("failover_preferences")),
        quota_limit=body.get("quota_limit"),
        source=source,
    )
    array.pods.append(pod)
    array.record("pod.create", name, **({"source": source.name} if source else {}))
    for volume in source.volumes if source else []:
        array.copy_volume(volume, volume.name, pod)
    return pod


def _preferences(array: "Array", given: Any) -> list[str]:
    """Array names; only this array and those it is synchronously connected to can be preferred."""
    names = [reference(one) for one in given or []]
    return [array.known_array(name, sync=True).name for name in names]


def change(array: "Array", name: str, body: dict[str, Any], *, destroy_contents: bool = False) -> Pod:
    """Whatever a PATCH asks for: destroy, recover, or new values."""
    pod = named(array, name)
    destroyed = body.get("destroyed")
    if destroyed is True:
        destroy(array, pod, contents=destroy_contents)
        return pod
    if destroyed is False and pod.destroyed_at is not None:
        recover(array, pod)
    if pod.destroyed_at is not None:
        raise Refused("Pod has been destroyed.", pod.name)
    wanted = _wanted(array, pod, body)
    changed = {key: value for key, value in wanted.items() if getattr(pod, key) != value}
    if changed:
        target = pod.name
        for key, value in changed.items():
            setattr(pod, key, value)
        array.record("pod.update", target, **changed)
    return pod


def _wanted(array: "Array", pod: Pod, body: dict[str, Any]) -> dict[str, Any]:
    """The new values of a pod's fields, each checked."""
    wanted: dict[str, Any] = {}
    if "name" in body:
        name = check("Pod", body["name"])
        holders = [array.fleet[member.array] for member in pod.members]
        if any(find(holder.pods, name) not in (None, pod) for holder in holders):
            raise exists("Pod", name)
        wanted["name"] = name
    if "failover_preferences" in body:
        wanted["failover_preferences"] = _preferences(array, body["failover_preferences"])
    if "mediator" in body:
        if body["mediator"] not in MEDIATORS:
            raise Refused("Mediator could not be reached.", body["mediator"])
        wanted["mediator"] = body["mediator"]
    if "quota_limit" in body:
        wanted["quota_limit"] = body["quota_limit"]
    if "requested_promotion_state" in body:
        if pod.stretched:
            raise Refused("Promotion state of a stretched pod cannot be changed.", pod.name)
        if body["requested_promotion_state"] not in ("promoted", "demoted"):
            raise Refused("Invalid promotion state.", pod.name)
        wanted["promotion"] = body["requested_promotion_state"]
    return wanted


def destroy(array: "Array", pod: Pod, *, contents: bool) -> None:
    """Destroy an unstretched pod; one with live volumes only when the caller means it."""
    if pod.destroyed_at is not None:
        raise Refused("Pod has been destroyed.", pod.name)
    if pod.stretched:
        raise Refused("Pod is stretched: unstretch it before destroying it.", pod.name)
    live = [volume for volume in pod.volumes if not volume.destroyed]
    if live and not contents:
        raise Refused("Pod is not empty.", pod.name)
    if any(array.connections_of(volume) for volume in live):
        raise Refused("Pod contains volumes with existing connections.", pod.name)
    pod.destroyed_at = array.now()
    array.record("pod.destroy", pod.name, volumes=[volume.full_name for volume in live])


def recover(array: "Array", pod: Pod) -> None:
    """Take a destroyed pod back, and the volumes that went with it."""
    if pod.restretch:
        raise Refused("Restretch pod cannot be recovered.", pod.name)
    pod.destroyed_at = None
    array.record("pod.recover", pod.name)


def eradicate(array: "Array", name: str, *, contents: bool) -> None:
    """Forget a destroyed pod for good."""
    pod = named(array, name)
    if pod.destroyed_at is None:
        raise Refused("Pod is not destroyed.", pod.name)
    if array.manual_eradication != "all-enabled":
        raise Refused("Cannot eradicate pod: eradication is disabled.", pod.name)
    # A restretch copy always has contents, and nobody could empty it.
    if pod.volumes and not contents and not pod.restretch:
        raise Refused("Pod is not empty.", pod.name)
    forget(array, pod)


def forget(array: "Array", pod: Pod) -> None:
    """Drop a destroyed pod, whoever ordered it: a person or the end of its delay."""
    array.pods.remove(pod)
    array.record("pod.eradicate", pod.name)


def stretch(array: "Array", name: str, member: str) -> Pod:
    """Add the other array. It answers at once; the copy shows in the member's state."""
    pod = named(array, name, live=True)
    peer = _peer_for(array, pod, member)
    copy = find(peer.pods, pod.name + RESTRETCH)
    written = array.written(pod.volumes)
    left = abs(written - copy.written) if copy else written  # a copy that is still there spares the rest
    seconds = EMPTY_COPY + left / COPY_RATE
    if copy:
        peer.pods.remove(copy)
    pod.members.append(Member(peer.name))
    peer.pods.append(pod)
    pod.mirror = Mirror(array.world, pod, array.name, peer.name, seconds)
    start = time.monotonic()
    busy = (start, start + (HANDSHAKE + seconds) / array.world.clock.speed, f"{peer.name} resync {pod.name}")
    array.world.busy.append(busy)
    array.record("pod.stretch", pod.name, member=peer.name)
    return pod


def _peer_for(array: "Array", pod: Pod, member: str) -> "Array":
    """The array to stretch to, when nothing speaks against it."""
    if any(same(one.array, member) for one in pod.members):
        raise Refused("Pod already exists on the array.", member)
    peer = array.known_array(member)
    link = array.link
    if link is None or link.type != links.SYNC or links.status(array) != "connected":
        raise Refused("Array is not connected for synchronous replication.", peer.name)
    if pod.state(array).status != "online":
        raise Refused("Pod is not online on this array.", pod.name)
    if find(peer.pods, pod.name):
        raise Refused("Pod already exists on the target array.", pod.name)
    if pod.promotion != "promoted":
        raise Refused("Pod is demoted.", pod.name)
    return peer


def unstretch(array: "Array", name: str, member: str, *, with_unknown: bool = False) -> None:
    """Take an array out. It loses the volumes at once and keeps a destroyed copy until that is eradicated.

    The array that stays must have the newest data. An array that is offline and knows nothing of its peer can be made
    to go on alone `with_unknown`: what was written elsewhere since is lost.
    """
    pod = named(array, name, live=True)
    leaving = next((one for one in pod.members if same(one.array, member)), None)
    if leaving is None:
        raise missing("Pod member", member)
    if pod.mirror is None:
        raise Refused("The last array cannot be removed from a pod.", pod.name)
    staying = next(one for one in pod.members if one is not leaving)
    forced = with_unknown and staying.array == array.name
    forced = forced and pod.mirror.told_by(array.name, leaving.array).status == "unknown"
    if pod.state(array.fleet[staying.array]).status != "online" and not forced:
        raise Refused("Pod is not online on the remaining array.", pod.name)
    pod.mirror = None
    other = array.fleet[leaving.array]
    for connection in [one for one in other.connections if one.volume in pod.volumes]:
        other.drop_connection(connection)
    pod.members.remove(leaving)
    other.pods.remove(pod)
    copy = Pod(str(uuid.uuid4()), pod.name + RESTRETCH, [Member(other.name)], destroyed_at=array.now())
    copy.written = array.written(pod.volumes)
    copy.volumes = [volume.image(copy) for volume in pod.volumes]
    other.pods = [one for one in other.pods if not same(one.name, copy.name)] + [copy]
    array.record("pod.unstretch", pod.name, member=other.name)
