"""Management controllers of nodes, each over the protocol that the inventory names for it."""

from typing import Protocol

from activities.clients import ipmi, redfish
from activities.clients.secrets import Secrets
from cluster.inventory import Bmc


class Speaks(Protocol):
    """What every protocol does: see `activities.clients.redfish` for what each raises."""

    def power(self, bmc: Bmc) -> bool:
        """True when the controller calls the machine on."""

    def machine(self, bmc: Bmc) -> str:
        """The machine's own name; empty where the controller knows none."""

    def switch(self, bmc: Bmc, *, on: bool) -> None:
        """Order the power on or off, once."""


class Controllers:
    """All of one cluster's, for as long as their connections are kept."""

    def __init__(self, secrets: Secrets) -> None:
        self._ipmi = ipmi.Controllers(secrets)
        self._redfish = redfish.Controllers(secrets)

    def power(self, bmc: Bmc) -> bool:
        """True when the controller calls the machine on."""
        return self._of(bmc).power(bmc)

    def machine(self, bmc: Bmc) -> str:
        """The machine's own name; empty where the controller knows none."""
        return self._of(bmc).machine(bmc)

    def switch(self, bmc: Bmc, *, on: bool) -> None:
        """Order the power on or off, once."""
        self._of(bmc).switch(bmc, on=on)

    def remark(self, bmc: Bmc) -> str:
        """What a person should know of how it was spoken to; empty when there is nothing."""
        return self._ipmi.remark(bmc) if bmc.protocol == "ipmi" else ""

    def _of(self, bmc: Bmc) -> Speaks:
        return self._ipmi if bmc.protocol == "ipmi" else self._redfish
