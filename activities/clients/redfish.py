"""A node's management controller: whether its power is on. Reads only."""

import contextlib
import functools
from typing import Any

import requests

from activities.clients.answers import json_object
from activities.clients.secrets import Secrets
from activities.errors import Rejected, Unauthorized, Unreachable
from cluster.addresses import netloc
from cluster.inventory import Bmc

TIMEOUT = 3.0
SYSTEMS = "/redfish/v1/Systems"


class Controllers:
    """Management controllers, each over one connection that is kept: many take a second for a handshake."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._sessions: dict[str, requests.Session] = {}
        self._systems: dict[str, str] = {}  # address to the path of its one system

    def power(self, bmc: Bmc) -> bool:
        """True when the controller calls the machine on; a machine that is going up or down counts as on."""
        state = str(self._system(bmc).get("PowerState"))
        if state not in ("On", "Off", "PoweringOn", "PoweringOff"):
            raise Rejected(f"{bmc.address} calls the power {state!r}")
        return state != "Off"

    def _system(self, bmc: Bmc) -> dict[str, Any]:
        """The controller's account of its machine, whose path is asked for once and again when it is gone."""
        if known := self._systems.pop(bmc.address, ""):
            with contextlib.suppress(Rejected):
                found = self._get(bmc, known)
                self._systems[bmc.address] = known
                return found
        members = self._get(bmc, SYSTEMS).get("Members") or []
        if not members:
            raise Rejected(f"{bmc.address} knows of no system")
        path = str(members[0]["@odata.id"])
        found = self._get(bmc, path)
        self._systems[bmc.address] = path
        return found

    def _get(self, bmc: Bmc, path: str) -> dict[str, Any]:
        try:
            answer = self._asked(bmc, path)
        except requests.exceptions.SSLError:
            raise Unauthorized(f"{bmc.address}: its certificate is not trusted; put its CA into bmc.ca") from None
        except requests.exceptions.RequestException as error:
            raise Unreachable(f"{bmc.address} does not answer: {type(error).__name__}") from None
        if answer.status_code in (401, 403):
            raise Unauthorized(f"{bmc.address} refuses {bmc.user}: HTTP {answer.status_code}")
        if answer.status_code == 404:
            raise Rejected(f"{bmc.address} knows nothing of {path}")
        found = json_object(answer.content)
        if answer.status_code != 200 or found is None:
            raise Unreachable(f"{bmc.address} answers HTTP {answer.status_code}")
        return found

    def _asked(self, bmc: Bmc, path: str) -> requests.Response:
        """One answer. A connection that the controller has closed meanwhile is no silence of it."""
        ask = functools.partial(
            requests.Session.get,
            url=f"https://{netloc(bmc.address)}{path}",
            auth=(bmc.user, self._secrets.read(bmc.password)),
            verify=str(self._secrets.path(bmc.ca)) if bmc.ca else True,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if kept := self._sessions.get(bmc.address):
            try:
                return ask(kept)
            except (requests.exceptions.SSLError, requests.exceptions.ConnectTimeout):
                raise
            except requests.exceptions.ConnectionError:
                kept.close()
        session = self._sessions[bmc.address] = requests.Session()
        return ask(session)
