"""A node's management controller: whether its power is on, whose machine it is, and the switch of its power.

Switching is for break-glass runbooks alone; everybody else reads.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import requests

from activities import tracing
from activities.clients.answers import json_object
from activities.clients.secrets import Secrets
from activities.clients.tls import recognising, refused
from activities.errors import Conflict, Rejected, Unauthorized, Unreachable
from cluster.addresses import netloc
from cluster.inventory import Bmc
from cluster.trust import of_controller

TIMEOUT = 3.0
# A controller may answer an order to switch later than a question.
ORDER_TIMEOUT = 20.0
SYSTEMS = "/redfish/v1/Systems"
RESET = "#ComputerSystem.Reset"


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

    def machine(self, bmc: Bmc) -> str:
        """The name that the machine has given itself (``HostName``); empty where the controller knows none."""
        return str(self._system(bmc).get("HostName") or "")

    def switch(self, bmc: Bmc, *, on: bool) -> None:
        """Order the power on, or off without asking the operating system. Sent once: read `power` for what it did.

        Conflict when the controller calls the machine in that state already.
        """
        actions = self._system(bmc).get("Actions")
        reset = actions.get(RESET) if isinstance(actions, dict) else None
        reset = reset if isinstance(reset, dict) else {}
        target, kind = str(reset.get("target") or ""), "On" if on else "ForceOff"
        if not target.startswith("/"):
            raise Rejected(f"{bmc.address} offers no {RESET} on a path of its own: {target or 'none'}")
        offered = reset.get("ResetType@Redfish.AllowableValues") or [kind]
        if not isinstance(offered, list) or kind not in offered:
            raise Rejected(f"{bmc.address} offers no {kind}: {offered}")
        answer = self._answered(bmc, "POST", target, functools.partial(self._ordered, bmc, target, kind))
        if answer.status_code == 409:
            raise Conflict(f"{bmc.address} refuses {kind}: the machine is in that state already, or on its way")
        if answer.status_code >= 300:
            raise Rejected(f"{bmc.address} refuses {kind}: HTTP {answer.status_code}")

    def _system(self, bmc: Bmc) -> dict[str, Any]:
        """The controller's account of its machine, whose path is asked for once and again when it is gone.

        Rejected where it has several: which of them is meant is nowhere said, and the first one is not the right one.
        """
        if known := self._systems.get(bmc.address):
            with contextlib.suppress(Rejected):
                return self._get(bmc, known)
        members = self._get(bmc, SYSTEMS).get("Members")
        listed = members if isinstance(members, list) else []
        paths = [str(one.get("@odata.id")) for one in listed if isinstance(one, dict)]
        if len(paths) != 1 or not paths[0].startswith("/"):
            raise Rejected(f"{bmc.address} knows of {', '.join(paths) or 'no system'}: one system is needed")
        self._systems[bmc.address] = paths[0]
        return self._get(bmc, paths[0])

    def _get(self, bmc: Bmc, path: str) -> dict[str, Any]:
        answer = self._answered(bmc, "GET", path, functools.partial(self._asked, bmc, path))
        if answer.status_code == 404:
            raise Rejected(f"{bmc.address} knows nothing of {path}")
        found = json_object(answer.content)
        if answer.status_code != 200 or found is None:
            raise Unreachable(f"{bmc.address} answers HTTP {answer.status_code}")
        return found

    def _answered(self, bmc: Bmc, method: str, path: str, call: Callable[[], requests.Response]) -> requests.Response:
        """One answer, as a span, and what it means when there is none or when it refuses whoever asks."""
        with tracing.request(method, bmc.address, path):
            return self._heard(bmc, call)

    def _heard(self, bmc: Bmc, call: Callable[[], requests.Response]) -> requests.Response:
        try:
            answer = call()
        except requests.exceptions.SSLError as error:
            self._sessions.pop(bmc.address, None)  # the file of its signer is read anew, should a person mend it
            distrusted = refused(of_controller(bmc), error)
            raise distrusted or Unreachable(f"{bmc.address} does not answer: {type(error).__name__}") from None
        except requests.exceptions.RequestException as error:
            raise Unreachable(f"{bmc.address} does not answer: {type(error).__name__}") from None
        tracing.answered(answer.status_code)
        if answer.status_code in (401, 403):
            raise Unauthorized(f"{bmc.address} refuses {bmc.user}: HTTP {answer.status_code}")
        return answer

    def _ordered(self, bmc: Bmc, target: str, kind: str) -> requests.Response:
        """Over a connection of its own, so that it is never sent a second time because an old one was closed."""
        with self._new(bmc) as session:
            return session.post(
                f"https://{netloc(bmc.address)}{target}",
                json={"ResetType": kind},
                timeout=ORDER_TIMEOUT,
                **self._access(bmc),
            )

    def _new(self, bmc: Bmc) -> requests.Session:
        return recognising(requests.Session(), of_controller(bmc), self._secrets)

    def _access(self, bmc: Bmc) -> dict[str, Any]:
        return {
            "auth": (bmc.user, self._secrets.read(bmc.password)),
            "allow_redirects": False,
        }

    def _asked(self, bmc: Bmc, path: str) -> requests.Response:
        """One answer. A connection that the controller has closed meanwhile is no silence of it."""
        url, access = f"https://{netloc(bmc.address)}{path}", self._access(bmc)

        def ask(session: requests.Session) -> requests.Response:
            return session.get(url, timeout=TIMEOUT, **access)

        if kept := self._sessions.get(bmc.address):
            try:
                return ask(kept)
            except (requests.exceptions.SSLError, requests.exceptions.ConnectTimeout):
                raise
            except requests.exceptions.ConnectionError:
                kept.close()
        session = self._sessions[bmc.address] = self._new(bmc)
        return ask(session)
