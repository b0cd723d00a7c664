"""The inventory of a bundle: only what is listed in `fields`, and references that lead into its own folder.

A twin writes keys and certificates where its inventory refers to. So references are never taken from a bundle, which
comes from elsewhere: they are set by whoever writes one, and set again by whoever opens one.
"""

from typing import Any

from cluster.probing.cleaning import Cleaning, Dropped
from cluster.probing.fields import INVENTORY


def listed(inventory: dict[str, Any]) -> dict[str, Any]:
    """What of it is listed, as it is."""
    found: dict[str, Any] = Cleaning().walk(INVENTORY, inventory, lambda kind, name: name, "inventory", Dropped())
    return found


def referring(inventory: dict[str, Any]) -> dict[str, Any]:
    """With references in the places where secrets and files were referred to.

    KeyError and TypeError where a part of it is missing.
    """
    for array in inventory["arrays"]:
        array |= {"api_token": f"file:secrets/{array['name']}.token", "ca": "secrets/ca.pem"}
    for place in (*inventory["sites"], *filter(None, [inventory.get("third")])):
        for node in place["nodes"]:
            if "bmc" in node:
                signed = {} if node["bmc"].get("protocol") == "ipmi" else {"ca": "secrets/ca.pem"}
                node["bmc"] |= {"password": "file:secrets/bmc.password", **signed}
    inventory["api"] |= {"token": "file:secrets/pve.token", "ca": "secrets/ca.pem"}
    ssh = inventory.setdefault("ssh", {})
    ssh |= {"key": "file:secrets/id_ed25519", "known_hosts": "secrets/known_hosts"}
    return inventory
