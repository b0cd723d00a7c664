"""A node's management controller: whether its power is on, whose machine it is, and the switch of its power.

Switching is for break-glass runbooks alone; everybody else reads.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from activities import tracing
from activities.clients.answers import json_object
from activities.clients.secrets import Secrets
from activities.clients.tls import recognising, refused
from activities.errors import Conflict, NotYet, Rejected, Unauthorized, Unreachable
from cluster.addresses import netloc
from cluster.inventory import Bmc
from cluster.trust import of_controller

# A controller may answer an order to switch later than a question.
ORDER_TIMEOUT = 20.0
SYSTEMS = "/redfish/v1/Systems"
RESET = "#ComputerSystem.Reset"
# What Redfish calls power (ComputerSystem, DSP0268): a machine that is going up, down, or is halted has power.
ON, OFF = ("On", "PoweringOn", "PoweringOff", "Paused"), "Off"
# A service may send its callers to another spelling of the path (DSP0266); a circle has no end.
REDIRECTS = 3
# Those with which an order is to be sent again as it is.
AS_IT_IS = (307, 308)


class Controllers:
    """Management controllers, each over one connection that is kept: many take a second for a handshake."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._sessions: dict[str, requests.Session] = {}
        self._systems: dict[tuple[str, str], str] = {}  # address and system to the path of that system

    def power(self, bmc: Bmc) -> bool:
        """True when the controller calls the machine on; a machine that is going up or down counts as on.

        NotYet when it does not say so now, as some do while a machine begins or they do themselves.
        """
        state = self._system(bmc).get("PowerState")
        if state is None:
            raise NotYet(f"{bmc.address} does not say now whether the machine is on (PowerState is null)")
        if state not in (*ON, OFF):
            raise Rejected(f"{bmc.address} calls the power {state!r}")
        return bool(state != OFF)

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
        answer = self._followed(bmc, "POST", target, lambda path: functools.partial(self._ordered, bmc, path, kind))
        if answer.status_code == 409:
            raise Conflict(f"{bmc.address} refuses {kind}: the machine is in that state already, or on its way")
        if answer.status_code >= 300:
            raise Rejected(f"{bmc.address} refuses {kind}: HTTP {answer.status_code}")

    def _system(self, bmc: Bmc) -> dict[str, Any]:
        """The controller's account of its machine, whose path is asked for once and again when it is gone.

        Rejected where it has several and the inventory does not say which: the first one is not the right one.
        """
        if known := self._systems.get((bmc.address, bmc.system)):
            with contextlib.suppress(Rejected):
                return self._get(bmc, known)
        members = self._get(bmc, SYSTEMS).get("Members")
        listed = members if isinstance(members, list) else []
        paths = [str(one.get("@odata.id")) for one in listed if isinstance(one, dict)]
        path = self._systems[bmc.address, bmc.system] = _chosen(bmc, [one for one in paths if one.startswith("/")])
        return self._get(bmc, path)

    def _get(self, bmc: Bmc, path: str) -> dict[str, Any]:
        answer = self._followed(bmc, "GET", path, lambda path: functools.partial(self._asked, bmc, path))
        if answer.status_code == 404:
            raise Rejected(f"{bmc.address} knows nothing of {path}")
        found = json_object(answer.content)
        if answer.status_code != 200 or found is None:
            raise Unreachable(f"{bmc.address} answers HTTP {answer.status_code}")
        return found

    def _followed(
        self, bmc: Bmc, method: str, path: str, call: Callable[[str], Callable[[], requests.Response]]
    ) -> requests.Response:
        """The answer, where the controller has moved the path on itself; nobody is followed to another address.

        An order is sent again only where its redirection asks for the same method.
        """
        for _ in range(REDIRECTS):
            answer = self._answered(bmc, method, path, call(path))
            if answer.status_code not in AS_IT_IS and (method != "GET" or answer.status_code not in (301, 302, 303)):
                return answer
            path = _moved(bmc, path, answer.headers.get("Location", ""))
        raise Rejected(f"{bmc.address} sends its callers on and on: the last time to {path}")

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
        except ValueError as error:  # the library reads where an answer sends its caller, although it does not go there
            raise Rejected(f"{bmc.address} sends its callers to no address: {error}") from None
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
                timeout=max(ORDER_TIMEOUT, bmc.answers_within.total_seconds()),
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
            return session.get(url, timeout=bmc.answers_within.total_seconds(), **access)

        if kept := self._sessions.get(bmc.address):
            try:
                return ask(kept)
            except (requests.exceptions.SSLError, requests.exceptions.ConnectTimeout):
                raise
            except requests.exceptions.ConnectionError:
                kept.close()
        session = self._sessions[bmc.address] = self._new(bmc)
        return ask(session)


def _chosen(bmc: Bmc, paths: list[str]) -> str:
    """The path of the node's system among those of the controller."""
    names = {path.rstrip("/").rpartition("/")[2]: path for path in paths}
    if bmc.system:
        if bmc.system in names:
            return names[bmc.system]
        raise Rejected(f"{bmc.address} knows no system {bmc.system}: it has {', '.join(names) or 'none'}")
    if len(paths) > 1:
        raise Rejected(
            f"{bmc.address} manages several machines: {', '.join(names)}; say which one this node is, as `system` of "
            "its bmc in the inventory"
        )
    if not paths:
        raise Rejected(f"{bmc.address} knows of no system: one is needed")
    return paths[0]


def _moved(bmc: Bmc, path: str, location: str) -> str:
    """The path that a redirection names; Rejected unless it is on the controller itself."""
    here = f"https://{netloc(bmc.address)}"
    with contextlib.suppress(ValueError):  # what cannot be taken apart is no address of its own
        own, there = urlsplit(here), urlsplit(urljoin(f"{here}{path}", location))
        same = (there.scheme, there.hostname, there.port or 443) == ("https", own.hostname, own.port or 443)
        if same and location and there.username is None:
            return there.path
    raise Rejected(
        f"{bmc.address} sends its callers to {location[:100] or 'nowhere'}: only a path of its own is followed; "
        "correct the address of that bmc in the inventory"
    )
