"""The way of Proxmox VE's fencing notifications to the gateway: one webhook target, one matcher.

PVE never tells a stored secret, so whether it is the right one shows only when a notification arrives: it is sent
anew when anything else differs, or when that is asked for.
"""

import base64
from typing import TYPE_CHECKING, Any

from activities.attempt import Changes
from activities.errors import NotFound
from cluster.plan import Finding, Ledger, Wish

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.secrets import Secrets
from cluster.units import counted

TARGET, MATCHER = "quorate-gateway", "quorate-fencing"
TARGETS, MATCHERS = "cluster/notifications/endpoints/webhook", "cluster/notifications/matchers"
# Valid JSON for every event: PVE escapes nothing by itself (reference: proxmox-api §6).
BODY = (
    '{"source":"pve","title":"{{ escape title }}","message":"{{ escape message }}","severity":"{{ severity }}",'
    '"timestamp":{{ timestamp }},"fields":{{ json fields }}}'
)


class GatewayWish(Wish):
    """Where the gateway takes PVE's events, and the reference of the secret that it knows."""

    url: str
    secret: str
    renew: bool = False


class PveNotifications:
    """Work on the cluster's notification targets."""

    def __init__(self, api: "PveApi", secrets: "Secrets") -> None:
        self._api, self._secrets = api, secrets

    def ensure(self, wish: GatewayWish) -> Finding:
        """Fencing notifications go to the gateway; what stands there otherwise is set right."""
        ledger = Changes(wish.mode)
        self._target(ledger, wish)
        self._matcher(ledger)
        if ledger.only_planned:
            return Finding(finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes)
        said = "as the inventory says" if not ledger.changed else "configured"
        return Finding(
            finding=f"{TARGET} and {MATCHER} are {said}; whether the stored secret is right, only a test shows",
            changed=ledger.changed,
            changes=ledger.changes,
        )

    def test(self) -> Finding:
        """PVE sends a trial message to the gateway now; its error is PVE's own."""
        self._api.post(f"cluster/notifications/targets/{TARGET}/test")
        return Finding(finding=f"{TARGET} took the trial message")

    def _target(self, ledger: Ledger, wish: GatewayWish) -> None:
        settings: dict[str, Any] = {
            "url": wish.url,
            "method": "post",
            "body": _packed(BODY),
            "header": [
                f"name=Content-Type,value={_packed('application/json')}",
                f"name=Authorization,value={_packed('Bearer {{ secrets.token }}')}",
            ],
        }
        found = self._one(TARGETS, TARGET)
        wrong = _differing(settings, found or {})
        if found is not None and not wrong and not wish.renew:
            return
        secret = [f"name=token,value={_packed(self._secrets.read(wish.secret))}"]
        comment = "events for Quorate's gateway"
        if found is None:
            if ledger.intend("cluster", "add notification target", TARGET, wish.url, verb="add"):
                self._api.post(TARGETS, name=TARGET, **settings, secret=secret, comment=comment)
        elif ledger.intend("cluster", "set notification target", TARGET, ", ".join(wrong) or "secret", verb="set"):
            self._api.put(f"{TARGETS}/{TARGET}", **settings, secret=secret)

    def _matcher(self, ledger: Ledger) -> None:
        settings: dict[str, Any] = {"match-field": ["exact:type=fencing"], "target": [TARGET]}
        found = self._one(MATCHERS, MATCHER)
        if found is None:
            if ledger.intend("cluster", "add notification matcher", MATCHER, "type fencing", verb="add"):
                self._api.post(MATCHERS, name=MATCHER, **settings)
            return
        wrong = _differing(settings, found)
        if wrong and ledger.intend("cluster", "set notification matcher", MATCHER, ", ".join(wrong), verb="set"):
            self._api.put(f"{MATCHERS}/{MATCHER}", **settings)

    def _one(self, area: str, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.get(f"{area}/{name}")
        except NotFound:
            return None
        return found


def _differing(wished: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Names of the settings that differ; lists are compared as bags. A disabled target tells nobody."""
    wrong = [name for name, value in wished.items() if _bag(found.get(name)) != _bag(value)]
    return [*wrong, *(["disable"] if found.get("disable") else [])]


def _bag(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else str(value)


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
