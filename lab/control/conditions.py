"""What a scenario can wait for: one word about the world and its places, told from the picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.control.drills import Drills
from lab.control.picture import picture
from lab.control.places import Argument, Unfit, checked

if TYPE_CHECKING:
    from lab.world import World

Picture = dict[str, Any]
SITE = Argument("SITE", "site")
MAYBE_SITE = Argument("SITE", "site", optional=True)
ARRAY = Argument("ARRAY", "array")


@dataclass(frozen=True)
class Condition:
    """One word that a scenario can wait for."""

    name: str
    arguments: tuple[Argument, ...]
    meaning: str
    holds: Callable[[Picture, tuple[str, ...]], bool]

    @property
    def usage(self) -> str:
        """``guests-running [SITE]``."""
        return " ".join([self.name, *(argument.usage for argument in self.arguments)])


def _nodes(now: Picture, where: tuple[str, ...]) -> list[dict[str, Any]]:
    return [node for site in now["sites"] if not where or site["name"] in where for node in site["nodes"]]


def _on(now: Picture, where: tuple[str, ...]) -> set[str]:
    return {node["name"] for node in _nodes(now, where)}


def _quorate(now: Picture, where: tuple[str, ...]) -> bool:
    return all(node["powered"] and node["quorate"] for node in _nodes(now, where))


def _without_quorum(now: Picture, where: tuple[str, ...]) -> bool:
    return not any(node["powered"] and node["quorate"] for node in _nodes(now, where))


def _votes(now: Picture, where: tuple[str, ...]) -> bool:
    powered = [node for node in _nodes(now, ()) if node["powered"]]
    return any(node["votes"] == float(where[0]) for node in powered)


def _device_votes(now: Picture, _: tuple[str, ...]) -> bool:
    return any(node["powered"] and node["device"] == "voting" for node in _nodes(now, ()))


def _online(now: Picture, where: tuple[str, ...]) -> bool:
    return all(node["powered"] and node["ha"] == "online" for node in _nodes(now, where))


def _down(now: Picture, where: tuple[str, ...]) -> bool:
    return not any(node["powered"] for node in _nodes(now, where))


def _given_up(now: Picture, where: tuple[str, ...]) -> bool:
    return not any(service["node"] in _on(now, where) for service in now["ha"]["services"].values())


def _guests_running(now: Picture, where: tuple[str, ...]) -> bool:
    """A guest that HA shall keep stopped is not waited for."""
    managed = [guest for guest in now["guests"] if guest["ha"] is not None and guest["requested"] == "started"]
    return bool(managed) and all(
        guest["process"] == "running" and guest["node"] in _on(now, where) for guest in managed
    )


def _own(now: Picture, array: str) -> list[str]:
    """The status of every pod's copy on an array, as that array tells it."""
    told = [pod["seen_by"].get(array, []) for pod in now["pods"]]
    return [member["status"] for members in told for member in members if member["name"] == array]


def _pod_online(now: Picture, where: tuple[str, ...]) -> bool:
    arrays = where or tuple(site["array"]["name"] for site in now["sites"])
    return all(_own(now, array) and set(_own(now, array)) == {"online"} for array in arrays)


def _pod_resyncing(now: Picture, where: tuple[str, ...]) -> bool:
    return "resyncing" in _own(now, where[0])


def _pod_not_online(now: Picture, where: tuple[str, ...]) -> bool:
    return "online" not in _own(now, where[0])


_ALL = (
    Condition("quorate", (MAYBE_SITE,), "every node (of the site) has power and counts a quorum", _quorate),
    Condition("without-quorum", (MAYBE_SITE,), "no node (of the site) counts a quorum", _without_quorum),
    Condition("votes", (Argument("NUMBER", "number"),), "a node counts so many votes", _votes),
    Condition("device-votes", (), "the quorum device's vote is cast", _device_votes),
    Condition("nodes-online", (MAYBE_SITE,), "HA calls every node (of the site) online", _online),
    Condition("nodes-down", (MAYBE_SITE,), "no node (of the site) has power", _down),
    Condition("site-evacuated", (SITE,), "HA has no service on the site's nodes: fenced and recovered", _given_up),
    Condition("guests-running", (MAYBE_SITE,), "every guest that HA is to run really runs (at the site)",
              _guests_running),
    Condition("pod-online", (Argument("ARRAY", "array", optional=True),),
              "every pod is online on the array, or on both", _pod_online),
    Condition("pod-resyncing", (ARRAY,), "the array's copy is resyncing", _pod_resyncing),
    Condition("pod-not-online", (ARRAY,), "the array serves no pod", _pod_not_online),
)  # fmt: skip

CONDITIONS = {one.name: one for one in _ALL}


def known_condition(world: "World", words: list[str]) -> tuple[Condition, tuple[str, ...]]:
    """A condition with its places; Unfit says what there is."""
    found = CONDITIONS.get(words[0])
    if found is None:
        raise Unfit(f"there is nothing called '{words[0]}' to wait for: there are {', '.join(sorted(CONDITIONS))}")
    return found, checked(world, found.usage, found.arguments, words[1:])


def hopeless(world: "World", drills: Drills, words: list[str]) -> str:
    """Why a condition cannot come true as things are: what it speaks of is not there yet; blank when it could."""
    now, name = picture(world, drills), words[0]
    if name == "guests-running" and not any(guest["ha"] for guest in now["guests"]):
        return "no guest is under HA: `quorate run deploy` makes some"
    if name.startswith("pod-") and not now["pods"]:
        return "there is no pod: `quorate run deploy` makes it"
    if name == "device-votes" and not world.corosync.qdevice:
        return "no quorum device is set up: `quorate run deploy` does it"
    return ""


def condition(world: "World", drills: Drills, words: list[str]) -> bool:
    """Whether it is so now."""
    found, where = known_condition(world, words)
    return found.holds(picture(world, drills), where)
