"""What an array keeps about itself: alerts, audits, sessions, users, support."""

from lab.purity.filters import Item
from lab.purity.models import Array
from lab.purity.rules.alerts import Alert
from lab.purity.rules.sessions import USERS
from lab.purity.views import arrays as views

# Records of the change log to Purity's commands.
COMMANDS = {
    "array": "purearray",
    "array_connection": "purearray",
    "pod": "purepod",
    "volume": "purevol",
    "host": "purehost",
    "host_group": "purehgroup",
    "connection": "purevol",
}


def alerts(array: Array) -> list[Item]:
    """What was wrong and what is, the newest last; codes from the reference flasharray-rest §5.12."""
    return [_alert(array, number, one) for number, one in enumerate(array.alerts, start=1)]


def _alert(array: Array, number: int, alert: Alert) -> Item:
    return {
        "name": str(number),
        "id": f"{array.number:08x}-0000-4000-8000-{number:012x}",
        "code": alert.code,
        "severity": "warning",
        "state": "open" if alert.closed is None else "closed",
        "category": "array",
        "component_type": alert.component_type,
        "component_name": alert.component_name,
        "issue": alert.issue,
        "summary": f"{alert.component_type} {alert.component_name}: {alert.issue}",
        "description": alert.description,
        "expected": alert.expected,
        "actual": alert.actual,
        "created": views.milliseconds(alert.created),
        "updated": views.milliseconds(alert.closed or alert.created),
        "closed": views.milliseconds(alert.closed),
        "notified": views.milliseconds(alert.created),
        "flagged": alert.closed is None,
        "knowledge_base_url": f"https://support.purestorage.com/?cid=Alert_{alert.code:04d}",
    }


def audits(array: Array) -> list[Item]:
    """A row for each change that was made through this array."""
    rows = []
    for change in array.world.changes:
        if change.where != array.name:
            continue
        what, _, how = change.what.partition(".")
        rows.append(
            {
                "name": str(change.number),
                "id": str(change.number),
                "time": views.milliseconds(change.time),
                "user": array.authors.get(change.number, USERS["array_admin"]),
                "user_interface": "REST",
                "command": COMMANDS.get(what, f"pure{what}"),
                "subcommand": how,
                "arguments": " ".join([change.target, *(f"--{key} {value}" for key, value in change.detail.items())]),
                "origin": views.ref(array),
            }
        )
    return rows


def logins(array: Array) -> list[Item]:
    """A row a session; no tokens."""
    return [
        {
            "name": str(session.number),
            "id": str(session.number),
            "user": session.user,
            "user_interface": "REST",
            "method": "API token",
            "event": "login",
            "event_count": 1,
            "location": session.location,
            "start_time": views.milliseconds(session.started),
            "end_time": views.milliseconds(session.ended),
        }
        for session in array.sessions
    ]


def subscriptions(array: Array) -> list[Item]:
    """An array that is owned, not rented."""
    return [{"id": array.id, "service": "FlashArray"}]
