"""Telling people how an incident goes on: one webhook each, and nobody has to wait for another.

Who has been told is kept with the heartbeat, so that a new attempt tells only the others. Should the worker die in
between, somebody is told twice, with the same key both times.
"""

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError
from temporalio import activity

from activities.clients import mail
from activities.clients.masks import MASKS
from activities.clients.webhook import post, post_text, put
from activities.errors import NotFound, Rejected, Unauthorized, Unreachable
from activities.serving import serves
from activities.tracing import in_thread
from cluster.around import Notify
from cluster.contracts import people
from cluster.notices import Notice, NoticeWish, Told, rendered
from cluster.plan import Finding
from cluster.presets import letter, matrix, opsgenie, pagerduty, slack, teams

if TYPE_CHECKING:
    from activities.clients.secrets import Secrets

TIMEOUT = 10.0
# All of them, in one attempt.
ALL_WITHIN = 30.0


class Notices:
    """Activities that tell people. `targets` are the inventory's, `ui` is where people find Temporal's web UI."""

    def __init__(self, targets: tuple[Notify, ...], secrets: "Secrets", ui: str = "") -> None:
        self._targets, self._secrets, self._ui = targets, secrets, ui.rstrip("/")

    @serves(people.tell, no_thread_cancel_exception=True)
    def send(self, wish: NoticeWish) -> Finding:
        """Send the notice to everybody who wants it; Unreachable names those who could not be told yet.

        Who refuses it is named in the finding, and not asked again.
        """
        told = _earlier()
        silent: list[str] = []
        notice = Notice.model_validate(MASKS.data(wish.notice.model_dump()))
        wanted = [one for one in self._targets if one.wants(notice.occasion, escalated=notice.escalated)]
        asked = [one for one in wanted if one.name not in told.told and one.name not in told.refused]
        waiting = {one.name: one for one in asked}
        for name, sent in self._at_once(asked, notice):
            del waiting[name]
            match sent:
                case None:
                    told = told.model_copy(update={"told": (*told.told, name)})
                case Unreachable():
                    silent.append(f"{name}: {sent.message}")
                case Rejected() | Unauthorized() | NotFound():
                    told = told.model_copy(update={"refused": {**told.refused, name: sent.message}})
                case _:
                    raise sent
            activity.heartbeat(told)
        silent += [f"{name}: no answer within {ALL_WITHIN:.0f} s" for name in waiting]
        if silent:
            raise Unreachable("; ".join(sorted(silent)))
        return Finding(finding=told.finding)

    def _at_once(self, asked: list[Notify], notice: Notice) -> Iterator[tuple[str, Exception | None]]:
        """Who has taken it, or why not, as they answer; one that hangs holds up no other, and is left alone in the end.

        An answer that drips a letter at a time would keep a thread for hours: those threads end with the worker.
        """
        answered: Queue[tuple[str, Exception | None]] = Queue()

        def sent(target: Notify) -> None:
            try:
                self.post(target, notice)
            except Exception as error:
                answered.put((target.name, error))
            else:
                answered.put((target.name, None))

        for one in asked:
            Thread(target=in_thread(partial(sent, one)), daemon=True, name=f"notice to {one.name}").start()
        until = time.monotonic() + ALL_WITHIN
        with contextlib.suppress(Empty):
            for _ in asked:
                yield answered.get(timeout=max(0.0, until - time.monotonic()))

    def post(self, target: Notify, notice: Notice) -> None:
        """Send it to one of them, once, in its form; the seven words say why it cannot be."""
        if target.mail is not None:
            password = self._secrets.outgoing(target.mail.password) if target.mail.password else None
            mail.post(target.mail, password, *letter(notice, self._link(notice)), notice.key, TIMEOUT)
            return
        headers = {name: self._secrets.outgoing(reference) for name, reference in target.headers.items()}
        headers["Idempotency-Key"] = quote(notice.key, safe="/:")  # a header takes ASCII alone
        address = self._secrets.address(target.address)
        if target.template is not None:
            post_text(address, rendered(target.template, notice), headers, TIMEOUT)
            return
        link = self._link(notice)
        token = self._secrets.outgoing(target.token) if target.token is not None else ""
        if target.kind == "opsgenie":
            more, alert = opsgenie(notice, link)
            post(address.rstrip("/") + more, alert, headers | {"Authorization": f"GenieKey {token}"}, TIMEOUT)
        elif target.room is not None:
            more, message = matrix(notice, target.room, link)
            put(address.rstrip("/") + more, message, headers | {"Authorization": f"Bearer {token}"}, TIMEOUT)
        elif target.routing_key is not None:
            key = self._secrets.outgoing(target.routing_key)
            post(address, pagerduty(notice, key, link), headers, TIMEOUT, (key,))
        else:
            post(address, _document(target, notice, link), headers, TIMEOUT)

    def _link(self, notice: Notice) -> str:
        """The page of the run in Temporal's UI; empty where no worker knows its address."""
        if not self._ui or not notice.run:
            return ""
        return f"{self._ui}/namespaces/{notice.namespace}/workflows/{quote(notice.incident, safe='')}/{notice.run}"


def _document(target: Notify, notice: Notice, link: str) -> dict[str, Any]:
    match target.kind:
        case "slack":
            return slack(notice, link)
        case "teams":
            return teams(notice, link)
    return notice.model_dump(mode="json") | ({"link": link} if link else {})


def _earlier() -> Told:
    details = activity.info().heartbeat_details[:1]
    try:
        return Told.model_validate(details[0]) if details and details[0] else Told()
    except ValidationError:
        return Told()
