"""What the two runbooks of storage have in common: both arrays serve the pod, and what each has for the nodes."""

from collections.abc import Sequence
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.breakglass.judged import Judged
    from cluster.contracts import purity
    from cluster.contracts.purity import ArrayFinding
    from cluster.contracts.reference import Activity
    from cluster.inventory import Inventory
    from cluster.plan import Finding, Intent, Mode, difference
    from cluster.units import shortly
    from cluster.wishes import Wishes
    from runbooks.breaking.course import BreakGlass
    from workflows.steps import Given

Asked = TypeVar("Asked")
Changed = TypeVar("Changed", bound=Finding)


class Layers:
    """The arrays of one cluster, as part of a run. `arrays` and `wwids` are known once `read` has looked."""

    def __init__(self, run: BreakGlass, inventory: Inventory) -> None:
        self._run, self.inventory = run, inventory
        self.planning = Wishes(inventory, Mode.PLAN, emergency=True)
        self.applying = Wishes(inventory, Mode.APPLY, emergency=True)
        self.arrays: dict[str, ArrayFinding] = {}
        self.wwids: dict[str, str | None] = {}  # by the volume's full name

    async def read(self) -> tuple[Intent, ...]:
        """Both arrays are ready and the pod holds the volume; what would have to be changed on the arrays."""
        run, names = self._run, [array.name for array in self.inventory.arrays]
        ready = await run.together(
            *(run.step(f"Array {name} is ready", purity.preflight, self.planning.array_pair(name)) for name in names)
        )
        self.arrays = dict(zip(names, ready, strict=True))
        for volume in self.planning.each:
            pod = await run.step(f"Pod holds {volume.the_volume}", purity.ensure_pod, volume.pod())
            self.wwids[volume.volume_name] = pod.wwid
            if pod.changes:  # more than an emergency
                run.refuse_if(
                    f"the pod or its volume is missing ({pod.changes[0]}): compare with `quorate plan deploy`"
                )
        found = await run.together(
            *(
                run.step(f"Hosts see {volume.the_volume} on {name}", purity.ensure_access, volume.access(name))
                for volume in self.planning.each
                for name in names
            )
        )
        # hosts and groups are missing for each volume, and are made once
        return tuple(dict.fromkeys(intent for one in found for intent in one.changes))

    async def differs(self) -> str:
        """Why nothing may be changed now, by the newest look of the run: not both arrays serve the pod."""
        found = self._run.judged
        return self.serve_both(found) if found else "how the cluster is, is not known"

    def as_agreed(self, activity: Activity[Asked, Changed], planned: Asked, agreed: Sequence[Intent]) -> Given:
        """Nothing speaks against the step, and it would change nothing that people have not agreed to: looked at now.

        `planned` is what the activity is asked for in mode `plan`.
        """

        async def given() -> str:
            if why := await self._run.why_not():
                return why
            return beyond(agreed, (await self._run.learn(activity, planned)).changes)

        return given

    def serve_both(self, found: Judged) -> str:
        """Why not both arrays serve the pod, in words; empty while both do."""
        silent = [array.name for array in self.inventory.arrays if array.name not in found.serving]
        which = "every pod" if len(self.inventory.all_pods) > 1 else "the pod"
        return f"{', '.join(silent)} does not serve {which}" if silent else ""


def beyond(agreed: Sequence[Intent], now: Sequence[Intent]) -> str:
    """What would be changed now that nobody has agreed to; empty while that is nothing. Less is no other plan."""
    more = [line.removeprefix("+ ") for line in difference(agreed, now) if line.startswith("+ ")]
    return f"the plan has changed: not agreed to is {shortly(more, 3)}" if more else ""
