"""A node's management controller: whether its power is on. Reads only."""

from typing import Any

import requests

from activities.clients.answers import json_object
from activities.clients.secrets import Secrets
from activities.errors import Rejected, Unauthorized, Unreachable
from cluster.addresses import netloc
from cluster.inventory import Bmc

TIMEOUT = 3.0
SYSTEMS = "/redfish/v1/Systems"


def power(bmc: Bmc, secrets: Secrets) -> bool:
    """True when the controller calls the machine on; a machine that is going up or down counts as on."""
    members = _get(bmc, secrets, SYSTEMS).get("Members") or []
    if not members:
        raise Rejected(f"{bmc.address} knows of no system")
    state = str(_get(bmc, secrets, members[0]["@odata.id"]).get("PowerState"))
    if state not in ("On", "Off", "PoweringOn", "PoweringOff"):
        raise Rejected(f"{bmc.address} calls the power {state!r}")
    return state != "Off"


def _get(bmc: Bmc, secrets: Secrets, path: str) -> dict[str, Any]:
    ca = str(secrets.path(bmc.ca)) if bmc.ca else True
    try:
        answer = requests.get(
            f"https://{netloc(bmc.address)}{path}",
            auth=(bmc.user, secrets.read(bmc.password)),
            verify=ca,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except requests.exceptions.SSLError:
        raise Unauthorized(f"{bmc.address}: its certificate is not trusted; put its CA into bmc.ca") from None
    except requests.exceptions.RequestException as error:
        raise Unreachable(f"{bmc.address} does not answer: {type(error).__name__}") from None
    if answer.status_code in (401, 403):
        raise Unauthorized(f"{bmc.address} refuses {bmc.user}: HTTP {answer.status_code}")
    found = json_object(answer.content)
    if answer.status_code != 200 or found is None:
        raise Unreachable(f"{bmc.address} answers HTTP {answer.status_code}")
    return found
