"""Links between the places: what is cut, and who reaches whom because of it.

A link is named in one way everywhere, in the control plane, in scenarios and in the log:

    inter-site            the network between the sites: management and both corosync rings
    uplink:SITE           all that leaves a site's network: to the other site, the witness, the mediator, the engine
    witness:SITE          a site's way to the witness alone, or to the nodes at a third place
    node:NODE             a node's network cards, all but storage
    ring0:NODE ring1:NODE one corosync ring of a node
    replication           array to array
    mediator              the mediator itself
    mediator:SITE         the way of a site's array to it
    pod-mediator:POD      the mediator that one pod has been given for itself
    pod-replication:POD   the mirroring of one pod, while the arrays are connected
    san                   storage network between the sites
    san:SITE              storage network within a site
    portal:ARRAY:N        one port of an array that nodes use, N from 0
    hba:NODE:N            one HBA port of a node on Fibre Channel, N from 0

Places are the names of nodes, of the witness and of the arrays; ENGINE is where runbooks run, at the third place.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.physics.world import World

ENGINE = "engine"
THIRD = "third"
RINGS = (0, 1)


class Links:
    """The links that are cut now; everything else carries."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.cut_now: set[str] = set()
        self._listeners: list[Callable[[], None]] = []

    def names(self) -> list[str]:
        """All links there are."""
        world = self._world
        sites = [site.name for site in world.inventory.sites]
        per_site = [f"{kind}:{site}" for kind in ("uplink", "witness", "mediator", "san") for site in sites]
        per_node = [f"{kind}:{node}" for kind in ("node", "ring0", "ring1") for node in world.nodes]
        portals = [f"portal:{array.name}:{n}" for array in world.arrays.values() for n in range(len(array.portals))]
        hbas = [f"hba:{node.name}:{n}" for node in world.nodes.values() for n in range(len(node.hbas))]
        kinds = ("mediator", "replication")
        pods = [f"pod-{kind}:{pod.name}" for kind in kinds for pod in world.inventory.all_pods]
        return ["inter-site", "replication", "mediator", "san", *per_site, *per_node, *portals, *hbas, *pods]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this whenever a link was cut or mended, or a machine has lost or got its power."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Tell everyone who wants to know."""
        for listener in list(self._listeners):
            listener()

    def cut(self, name: str) -> None:
        """Cut a link. KeyError when there is none of that name; no change when it is cut already."""
        self._set(name, cut=True)

    def mend(self, name: str) -> None:
        """Mend a link."""
        self._set(name, cut=False)

    def _set(self, name: str, *, cut: bool) -> None:
        if name not in self.names():
            raise KeyError(f"there is no link '{name}'")
        if cut == (name in self.cut_now):
            return
        (self.cut_now.add if cut else self.cut_now.discard)(name)
        self._world.record("links", "link.cut" if cut else "link.mend", name)
        self.changed()

    def carries(self, *names: str) -> bool:
        """None of these is cut."""
        return self.cut_now.isdisjoint(names)

    # --- who reaches whom ----------------------------------------------------------------------------------------

    def site_of(self, place: str) -> str:
        """The site a place stands in: a node, an array, the witness, the engine."""
        world = self._world
        if place in world.nodes:
            return world.nodes[place].site
        return world.site_of_array(place) if place in world.arrays else THIRD

    def reaches(self, a: str, b: str) -> bool:
        """Whether the management network carries from one place to the other; power is another matter."""
        if a == b or not self.cut_now:
            return True
        here, there = self.site_of(a), self.site_of(b)
        if not self.carries(f"node:{a}", f"node:{b}"):
            return False
        if here == there:
            return True
        if not self.carries(f"uplink:{here}", f"uplink:{there}"):
            return False
        if THIRD not in (here, there):
            return self.carries("inter-site")
        # the engine stands there too, and has a way of its own
        return ENGINE in (a, b) or self.carries(f"witness:{here}", f"witness:{there}")

    def rings(self, a: str, b: str) -> tuple[bool, ...]:
        """For each corosync ring, whether it carries between two nodes."""
        if not self.cut_now:
            return (True,) * len(RINGS)
        way = self.reaches(a, b)
        return tuple(way and self.carries(f"ring{ring}:{a}", f"ring{ring}:{b}") for ring in RINGS)

    def mediator(self, array: str, pod: str) -> bool:
        """Whether an array reaches the mediator of a pod: each pod may have one of its own."""
        site = self.site_of(array)
        return self.carries("mediator", f"mediator:{site}", f"uplink:{site}", f"pod-mediator:{pod}")

    def replication(self) -> bool:
        """Whether the arrays reach each other for replication."""
        return self.carries("replication")

    def mirrors(self, pod: str) -> bool:
        """Whether what is written to a pod reaches its other copy."""
        return self.replication() and self.carries(f"pod-replication:{pod}")

    def storage(self, node: str, array: str, portal: str) -> bool:
        """Whether the storage network carries from a node to a portal of an array."""
        if not self.cut_now:
            return True
        here, there = self.site_of(node), self.site_of(array)
        port = self._world.arrays[array].portals.index(portal)
        fabric = self.carries(f"san:{here}", f"san:{there}") and (here == there or self.carries("san"))
        return fabric and self.carries(f"portal:{array}:{port}")
