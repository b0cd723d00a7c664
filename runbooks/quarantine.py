"""The quarantine of a site that has come back: what must be so before anything may move there (design §6.1).

Listed here, held by the failback. Reads only; a check that fails is a finding.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.hosts import Hosts
    from activities.proxmox import Proxmox
    from activities.purity import Purity
    from activities.quorum import Quorum
    from activities.survivor import SiteName, Survivor
    from cluster.inventory import Inventory
    from cluster.plan import Mode
    from runbooks.wishes import Wishes
    from workflows.incident import Incident

# Sessions, votes and a resync of minutes come by themselves; what takes longer is listed as it is then.
WITHIN = timedelta(minutes=3)


class Quarantine:
    """The checks of one returned site, each a line on the run's page."""

    def __init__(self, run: Incident, inventory: Inventory, site: str) -> None:
        self._run, self._inventory, self._site = run, inventory, inventory.site(site)
        self._wishes = Wishes(inventory, Mode.PLAN)

    async def listed(self) -> list[str]:
        """All checks at once; the titles of those that hold the site back."""
        self._run.section(f"Quarantine of {self._site.name}")
        here = SiteName(site=self._site.name)
        checks: list[tuple[str, Any, Any]] = [
            ("Clocks agree", Hosts.clocks, self._wishes.clocks()),
            ("Corosync links are connected", Survivor.links, here),
            ("All votes are back", Quorum.votes, self._wishes.device()),
            ("HA is armed, every LRM is well", Proxmox.ha_state, self._wishes.ha(self._inventory.guests)),
            ("Pod is online on both arrays", Purity.pod_state, self._wishes.pod_at()),
            ("No volume is open on two nodes", Survivor.volumes, here),
        ]
        results = await self._run.together(
            self._paths(), *(self._run.noted(title, activity, wish, WITHIN) for title, activity, wish in checks)
        )
        titles = ["Paths are complete", *(title for title, _, _ in checks)]
        return [title for title, found in zip(titles, results, strict=True) if found is None]

    async def _paths(self) -> Any:
        """4 and 4 on each node of the site: what the arrays offer is asked first."""
        names = [array.name for array in self._inventory.arrays]
        offers = await self._run.together(
            *(
                self._run.noted(f"{name} answers", Purity.preflight, self._wishes.array_pair(name), WITHIN)
                for name in names
            )
        )
        pod = await self._run.noted("Volume is known", Purity.ensure_pod, self._wishes.pod(), WITHIN)
        if pod is None or any(offer is None for offer in offers):
            return None
        arrays = dict(zip(names, offers, strict=True))
        found = await self._run.together(
            *(
                self._run.noted(
                    f"Paths of {node.name}", Hosts.paths, self._wishes.paths(node.name, arrays, pod.wwid), WITHIN
                )
                for node in self._site.nodes
            )
        )
        return found if all(one is not None for one in found) else None
