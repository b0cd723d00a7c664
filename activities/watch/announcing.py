"""Planned work of a run, announced to the watch of its cluster and ended there.

Where no watch runs, or it refuses, that is a finding and no failure: then the watch opens an incident for the dark
site, which harms nothing.
"""

from datetime import timedelta

from pydantic import BaseModel
from temporalio import activity
from temporalio.client import (
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import Unreachable
from activities.serving import serves
from cluster.contracts import watch
from cluster.inventory import Inventory
from cluster.plan import Finding
from cluster.silences import SilenceWish, UnsilenceWish
from cluster.watching import watch_id

# A watch takes an update within this time, or no worker has time for it.
TAKEN_WITHIN = timedelta(seconds=10)


class Announcing:
    """Activities that tell the watch of planned work."""

    def __init__(self, inventory: Inventory) -> None:
        self._watch = watch_id(inventory.name)

    @serves(watch.announce)
    async def announce(self, wish: SilenceWish) -> Finding:
        """From now on no incident opens for these places while they are empty; said again, it gets a new end."""
        return await self._said("silence", wish, "an incident opens when the site goes dark")

    @serves(watch.unannounce)
    async def unannounce(self, wish: UnsilenceWish) -> Finding:
        """They are as others again; what is dark opens an incident."""
        return await self._said("unsilence", wish, "nothing is to be ended")

    async def _said(self, update: str, wish: BaseModel, otherwise: str) -> Finding:
        handle = activity.client().get_workflow_handle(self._watch)
        try:
            said = await handle.execute_update(update, wish, result_type=str, rpc_timeout=TAKEN_WITHIN)
        except WorkflowUpdateFailedError as error:
            why = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            return Finding(finding=f"{self._watch} refuses it: {why}", mark="warned")
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise Unreachable(f"{self._watch} does not take it: is its worker running?") from None
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise Unreachable(f"{self._watch}: {error.message}") from None
            return Finding(finding=f"no watch runs: {otherwise}", mark="warned")
        return Finding(finding=said)
