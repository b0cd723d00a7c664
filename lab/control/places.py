"""The words behind a fault or a condition: which there are, and what is said of one that fits nothing."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.privileges import granted
from lab.physics.disks import LOCAL_MAPS
from lab.physics.links import RINGS, THIRD
from lab.purity.models import CONTROLLERS

if TYPE_CHECKING:
    from lab.physics.disks import LogicalVolume
    from lab.physics.world import Host
    from lab.world import World

# What QEMU says of a process that does not work, the usual one first.
QMP_STATES = ("paused", "prelaunch", "suspended", "internal-error")


class Unfit(ValueError):
    """An order that cannot be carried out; the text is what a person is told."""


@dataclass(frozen=True)
class Argument:
    """One word behind a fault's name. An `amount` says how much, not where."""

    name: str
    kind: str
    optional: bool = False
    amount: bool = False

    @property
    def usage(self) -> str:
        """``SITE``, or ``[SITE]`` when it may be left out."""
        return f"[{self.name}]" if self.optional else self.name


def choices(world: "World", kind: str, before: tuple[str, ...]) -> list[str] | None:
    """What there is to choose from; None for a number. `before` are the words already read."""
    sites = [site.name for site in world.inventory.sites]
    nodes, arrays, hosts = (
        list(world.nodes),
        list(world.arrays),
        [*world.nodes, *((world.witness.name,) if world.inventory.witness else ())],
    )
    if kind == "portal":
        array = world.arrays.get(before[0]) if before else next(iter(world.arrays.values()))
        return [str(number) for number in range(len(array.portals))] if array else []
    if kind == "hba":
        return [str(number) for number in range(len(world.nodes[before[0]].hbas))] if before else []
    if kind == "lv":
        return sorted(volumes(world))
    if kind == "package":
        return sorted(host_of(world, before[0]).packages) if before else []
    return {
        "site": sites,
        "node": nodes,
        "array": arrays,
        "pod": [pod.name for pod in world.inventory.all_pods],
        "host": hosts,
        "controller": list(CONTROLLERS),
        "ring": [str(ring) for ring in RINGS],
        "place": [*sites, THIRD],
        "local map": list(LOCAL_MAPS),
        "privilege": sorted({name for names in granted(world.inventory).values() for name in names}),
        "job": sorted(world.cluster.jobs),
        "machine": sorted(str(guest.vmid) for guest in world.cluster.guests.values() if guest.kind == "qemu"),
        "guest": sorted(str(vmid) for vmid in world.cluster.guests),
        "qmp": list(QMP_STATES),
        "service": [*arrays, *(f"pve:{node}" for node in nodes), *(f"ssh:{host}" for host in hosts)],
    }.get(kind)


def checked(
    world: "World", usage: str, arguments: tuple[Argument, ...], words: list[str], *, partial: bool = False
) -> tuple[str, ...]:
    """The words of an order, each found fit; Unfit says what there is. `partial`: words may be missing at the end."""
    if len(words) > len(arguments):
        raise Unfit(f"'{words[len(arguments)]}' is one word too many: write {usage}")
    found: tuple[str, ...] = ()
    for index, argument in enumerate(arguments):
        if index >= len(words):
            if argument.optional or partial:
                break
            raise Unfit(f"{argument.name} is missing: write {usage}{_offer(world, argument, found)}")
        found = (*found, _word(world, argument, words[index], found))
    return found


def _offer(world: "World", argument: Argument, before: tuple[str, ...]) -> str:
    there_is = choices(world, argument.kind, before)
    return f"; {argument.name} is one of {', '.join(there_is)}" if there_is else ""


def _word(world: "World", argument: Argument, word: str, before: tuple[str, ...]) -> str:
    there_is = choices(world, argument.kind, before)
    if argument.kind == "name":
        return _name(argument, word)
    if there_is is None:
        return _number(argument, word)
    wanted = word.upper() if argument.kind == "controller" else word
    # what is to be missing may be missing already
    if wanted in there_is or argument.kind == "package":
        return wanted
    if argument.kind == "lv" and not there_is:
        raise Unfit(f"there is no LV '{word}': there are no logical volumes yet")
    raise Unfit(f"there is no {argument.name} '{word}': there are {', '.join(there_is)}")


def _name(argument: Argument, word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", word):
        raise Unfit(f"{argument.name} must be a name of letters, digits, dots and dashes, not '{word}'")
    return word


def _number(argument: Argument, word: str) -> str:
    try:
        number = float(word)
    except ValueError:
        raise Unfit(f"{argument.name} must be a number, not '{word}'") from None
    if argument.kind == "status" and not (number.is_integer() and 1 <= number <= 599):
        raise Unfit(f"{argument.name} must be a status from 400 to 599, or an exit status for SSH, not '{word}'")
    if argument.kind == "positive" and not 0 < number < float("inf"):
        raise Unfit(f"{argument.name} must be a positive number, not '{word}'")
    if argument.kind == "count" and not (number.is_integer() and 1 <= number <= 4095):
        raise Unfit(f"{argument.name} must be a whole number from 1 on, not '{word}'")
    if number != number or abs(number) == float("inf"):
        raise Unfit(f"{argument.name} must be a number, not '{word}'")
    return f"{number:g}"


def host_of(world: "World", name: str) -> "Host":
    """A node or the witness."""
    return world.witness if name == world.witness.name else world.nodes[name]


def volumes(world: "World") -> "dict[str, LogicalVolume]":
    """The logical volumes on shared disks, by name."""
    groups = (disk.vg for disk in world.disks.values() if disk.vg is not None)
    return {name: lv for group in groups for name, lv in group.lvs.items()}
