"""What the API token may do, runbook by runbook, and which command gives what it lacks. Pure."""

from collections.abc import Mapping

from cluster.doctor.check import About, Check
from cluster.inventory import Inventory
from cluster.privileges import PROCEDURES, Missing, Sight, granted, missing, role_at

# What an entry on a deeper path would take away from all guests at once, and what would be blind then.
SIGHT = {
    "VM.Audit": "it may not see every guest, so no node is taken for empty and no guest for back",
    "VM.GuestAgent.Audit": "it may not ask every guest's agent, so a restarted guest is not proven to be back",
}


def runbooks(inventory: Inventory, has: Mapping[str, frozenset[str]]) -> list[Check]:
    """One line for each runbook; `has` is what the token may do at each path that they ask for."""
    return [_runbook(inventory, runbook, missing(inventory, [runbook], has)) for runbook in PROCEDURES]


def _runbook(inventory: Inventory, runbook: str, lacks: list[Missing]) -> Check:
    about = About(area="cluster", subject=runbook, what="rights of the token")
    if not lacks:
        return about.ok("complete")
    said = ", ".join(f"{one.privilege} at {one.path}" for one in lacks)
    given: dict[str, list[str]] = {}
    for one in lacks:
        given.setdefault(granted_at(inventory, one.path), []).append(one.privilege)
    commands = [_command(inventory, path, privileges) for path, privileges in given.items()]
    return about.wrong(f"it lacks {said}", "on a node: " + "; ".join(commands))


def guests(inventory: Inventory, sight: Sight) -> Check:
    """Rights that have to reach every guest: one that is hidden would count as not there."""
    about = About(area="cluster", subject="token", what=f"{sight.privilege} at every guest")
    if not sight.reaches:
        path = "/vms"
    elif not sight.audits:
        return about.wrong(
            "entries that hide single guests may not be read: Sys.Audit is missing at /access",
            "on a node: " + _command(inventory, "/", ["Sys.Audit"]) + "; then take away what replaces it at /access",
        )
    elif sight.hidden:
        path = sight.hidden[0]
    else:
        return about.ok("it reaches all of them")
    hidden = ", ".join(sight.hidden) if sight.reaches else "/vms, with propagation"
    return about.wrong(
        f"{SIGHT[sight.privilege]}: {sight.privilege} is missing at {hidden}",
        "on a node: " + "; ".join(_command(inventory, one, [sight.privilege]) for one in (sight.hidden or (path,))),
    )


def granted_at(inventory: Inventory, path: str) -> str:
    """The path of docs/prepare.md whose entry gives what is needed here: an entry deeper than it would replace it."""
    above = [one for one in granted(inventory) if one == "/" or path == one or path.startswith(f"{one}/")]
    return max(above, key=len)


def _command(inventory: Inventory, path: str, privileges: list[str]) -> str:
    token = inventory.api.token_id
    role = role_at(inventory, path)
    who = f"--users {token.partition('!')[0]} --tokens '{token}'"
    named = f'pveum role modify {role} --append --privs "{" ".join(dict.fromkeys(privileges))}"'
    return f"{named} && pveum acl modify {path} --roles {role} {who}"
