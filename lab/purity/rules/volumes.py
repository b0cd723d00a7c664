"""Volumes, in pods and outside of them.

A volume of a stretched pod is one object on both arrays: resize, rename and destroy need no copying.
"""

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.purity.errors import Refused, exists, missing
from lab.purity.rules import pods
from lab.purity.rules.names import check, find, reference, same

if TYPE_CHECKING:
    from lab.purity.models import Array
    from lab.purity.rules.pods import Pod

# 1 MB, also the default, to 4 PB in whole blocks of 512 bytes (reference: flasharray-rest §7).
SMALLEST, LARGEST, BLOCK = 2**20, 4 * 2**50, 512


@dataclass(eq=False)
class Volume:
    """A volume; `name` is the part after ``pod::``."""

    id: str
    name: str
    serial: str
    provisioned: int
    created: float
    pod: "Pod | None" = None
    destroyed_at: float | None = None
    subtype: str = "regular"
    source: "Volume | None" = None
    bandwidth_limit: int | None = None
    iops_limit: int | None = None

    @property
    def full_name(self) -> str:
        """``pod::volume``, or the name alone."""
        return f"{self.pod.name}::{self.name}" if self.pod else self.name

    @property
    def destroyed(self) -> bool:
        """By itself, or with its pod."""
        return self.destroyed_at is not None or (self.pod is not None and self.pod.destroyed_at is not None)

    def image(self, pod: "Pod") -> "Volume":
        """What a restretch copy keeps of it."""
        return replace(self, id=str(uuid.uuid4()), pod=pod)


def named(array: "Array", name: str, *, live: bool = False) -> Volume:
    """The volume of that full name."""
    volume = next((one for one in array.all_volumes() if same(one.full_name, name)), None)
    if volume is None:
        raise missing("Volume", name)
    if live and volume.destroyed:
        raise Refused("Volume has been destroyed.", volume.full_name)
    return volume


def place(array: "Array", name: str) -> "tuple[Pod | None, str]":
    """Where a volume of that full name would be, and its short name; refused when it cannot be there."""
    pod_name, inside, short = name.rpartition("::")
    pod = pods.named(array, pod_name, live=True) if inside else None
    check("Volume", short)
    if any(same(one.full_name, name) for one in array.all_volumes()):
        raise exists("Volume", name)
    return pod, short


def create(array: "Array", name: str, body: dict[str, Any]) -> Volume:
    """A new volume, empty or as a copy of another one."""
    pod, short = place(array, name)
    if body.get("source"):
        return array.copy_volume(named(array, reference(body["source"])), short, pod)
    limits = _limits(name, body.get("qos") or {})
    return array.add_volume(short, pod, _size(name, body.get("provisioned", SMALLEST)), **limits)


def _size(name: str, size: Any) -> int:
    if not isinstance(size, int) or not SMALLEST <= size <= LARGEST or size % BLOCK:
        raise Refused("Invalid volume size.", name)
    return size


def _limits(name: str, qos: dict[str, Any]) -> dict[str, int | None]:
    limits: dict[str, int | None] = {key: qos[key] for key in ("bandwidth_limit", "iops_limit") if key in qos}
    if any(not isinstance(limit, (int, type(None))) for limit in limits.values()):
        raise Refused("Invalid QoS limit.", name)
    return limits


def change(array: "Array", name: str, body: dict[str, Any], *, truncate: bool = False) -> Volume:
    """Whatever a PATCH asks for: destroy, recover, move, or new values."""
    volume = named(array, name)
    destroyed = body.get("destroyed")
    if destroyed is True:
        destroy(array, volume)
        return volume
    if destroyed is False and volume.destroyed_at is not None:
        _recover(array, volume)
    if volume.destroyed:
        raise Refused("Volume has been destroyed.", volume.full_name)
    if body.get("volume_group"):
        raise missing("Volume group", reference(body["volume_group"]))
    wanted = _wanted(array, volume, body, truncate=truncate)
    changed = {key: value for key, value in wanted.items() if getattr(volume, key) != value}
    if changed:
        target = volume.full_name
        for key, value in changed.items():
            setattr(volume, key, value)
        array.world.disk(volume.serial, volume.provisioned)
        array.record("volume.update", target, **changed)
    if body.get("pod") is not None:
        _move(array, volume, reference(body["pod"]))
    return volume


def _wanted(array: "Array", volume: Volume, body: dict[str, Any], *, truncate: bool) -> dict[str, Any]:
    """The new values of a volume's fields, each checked."""
    wanted: dict[str, Any] = dict(_limits(volume.full_name, body.get("qos") or {}))
    if "provisioned" in body:
        size = _size(volume.full_name, body["provisioned"])
        if size < volume.provisioned and not truncate:
            raise Refused("Volume cannot be shrunk without truncate.", volume.full_name)
        wanted["provisioned"] = size
    if "name" in body:
        pod_name, inside, short = str(body["name"]).rpartition("::")
        here = volume.pod.name if volume.pod else ""
        if inside and not same(pod_name, here):
            raise Refused("Volume cannot be renamed into another pod.", volume.full_name)
        check("Volume", short)
        siblings = volume.pod.volumes if volume.pod else array.volumes
        if find(siblings, short) not in (None, volume):
            raise exists("Volume", str(body["name"]))
        wanted["name"] = short
    return wanted


def _move(array: "Array", volume: Volume, pod_name: str) -> None:
    """Into a pod, or out of one; never into or out of a stretched one."""
    target = pods.named(array, pod_name, live=True) if pod_name else None
    if target is volume.pod:
        return
    for pod in (volume.pod, target):
        if pod is not None and pod.stretched:
            raise Refused("Volume cannot be moved into or out of a stretched pod.", volume.full_name)
    siblings = target.volumes if target else array.volumes
    if find(siblings, volume.name):
        raise exists("Volume", f"{pod_name}::{volume.name}" if pod_name else volume.name)
    before = volume.full_name
    (volume.pod.volumes if volume.pod else array.volumes).remove(volume)
    siblings.append(volume)
    volume.pod = target
    array.record("volume.update", before, moved_to=volume.full_name)


def destroy(array: "Array", volume: Volume) -> None:
    """Destroy a volume that nothing is connected to, on either array."""
    if volume.destroyed:
        raise Refused("Volume has been deleted.", volume.full_name)
    if array.connections_of(volume):
        raise Refused("Volume cannot be destroyed due to existing connections.", volume.full_name)
    volume.destroyed_at = array.now()
    array.record("volume.destroy", volume.full_name)


def _recover(array: "Array", volume: Volume) -> None:
    volume.destroyed_at = None
    array.record("volume.recover", volume.full_name)


def eradicate(array: "Array", name: str) -> None:
    """Forget a destroyed volume for good."""
    volume = named(array, name)
    if not volume.destroyed:
        raise Refused("Volume is not destroyed.", volume.full_name)
    if array.manual_eradication != "all-enabled":
        raise Refused("Eradication is disabled.")
    forget(array, volume)


def forget(array: "Array", volume: Volume) -> None:
    """Drop a destroyed volume, whoever ordered it: a person or the end of its delay."""
    (volume.pod.volumes if volume.pod else array.volumes).remove(volume)
    array.record("volume.eradicate", volume.full_name)
