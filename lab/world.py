"""The world as a whole: the physics, two arrays and a cluster that stand on it."""

from lab.physics import world as physics
from lab.purity.models import Array
from lab.pve.models import Cluster


class World(physics.World):
    """Everything that is. Who knows more than one system takes this one."""

    arrays: dict[str, Array]
    cluster: Cluster

    def furnish(self) -> None:
        """Bare arrays that are connected to each other, and a bare cluster."""
        sites = enumerate(self.inventory.sites)
        self.arrays = {site.array: Array(self, site.array, number) for number, site in sites}
        self.cluster = Cluster(self)
