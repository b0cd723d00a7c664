"""open-iscsi on a node: discovery, records, sessions. An array lets anyone log in; LUNs are another matter.

Texts are those of open-iscsi 2.1.11 (reference: host-outputs 2.1, 2.2) and 2.1.8 (records, statuses).
"""

import re
from collections.abc import Iterable

from lab.hosts.shell import Call, Output, Registry
from lab.physics.initiator import DEFAULT, NodeRecord, Way, admitted

ISCSI = Registry()

NONE, EXISTS, REFUSED = 21, 15, 24
# A login to a portal that swallows everything: 15 s, eight times (iscsid.conf).
GIVES_UP_AFTER = 120.0
# What `-o show` tells of a record besides what can be changed here; the rest is iscsid.conf's defaults.
_HEAD = "# BEGIN RECORD 2.1.11\nnode.name = {iqn}\nnode.tpgt = 1\nnode.startup = {startup}\nnode.leading_login = No\n"
_IFACE = (
    "iface.iscsi_ifacename = {iface}\niface.net_ifacename = {card}\niface.ipaddress = <empty>\n"
    "iface.transport_name = tcp\n"
)
_CONN = (
    "node.session.timeo.replacement_timeout = 120\nnode.conn[0].address = {host}\nnode.conn[0].port = {port}\n"
    "node.conn[0].startup = manual\nnode.conn[0].timeo.login_timeout = 15\n# END RECORD\n"
)
_AUTH = "node.session.auth."
# Where open-iscsi of Debian 13 keeps them (docs/real.md).
_RECORD_FILE = re.compile(r"/var/lib/iscsi/nodes/(?P<iqn>[^/]+)/(?P<host>[^/,]+),(?P<port>\d+),1/(?P<iface>[^/]+)")


@ISCSI.program("cat")
async def cat(call: Call) -> Output:
    """The few files that are read."""
    if call.words == ("/etc/iscsi/initiatorname.iscsi",):
        return Output(f"## DO NOT EDIT OR REMOVE THIS FILE!\nInitiatorName={call.host.iqn}\n")
    return Output(stderr=f"cat: {' '.join(call.words)}: No such file or directory\n", status=1)


_OPTIONS = (
    "-m= --mode= -t= --type= -p= --portal= -T= --targetname= -l --login -u --logout -R --rescan -o= --op= -n= --name= "
    "-v= --value= -P= --print= -I= --interface="
)


@ISCSI.program("iscsiadm", _OPTIONS)
async def iscsiadm(call: Call) -> Output:
    """`iscsiadm -m discovery|node|session`."""
    mode, op = call.option("-m", "--mode"), call.option("-o", "--op")
    if mode == "discovery":
        return await _discover(call)
    if mode == "session":
        return _rescan(call) if call.has("--rescan", "-R") else _sessions(call)
    if mode != "node":
        return Output(stderr="iscsiadm: invalid mode\n", status=7)
    if call.has("--login", "-l"):
        return await _login(call)
    if call.has("--logout", "-u"):
        return _logout(call)
    if op == "update":
        return _update(call)
    return _shown(call) if op == "show" else _records(call)


async def _discover(call: Call) -> Output:
    """SendTargets: all portals of the array, whichever was asked.

    Without ``-o new`` what is known already is set back to iscsid.conf's defaults, and what the array does not tell is
    forgotten (open-iscsi's README, mode "discovery").
    """
    portal, world, host = call.option("-p", "--portal") or "", call.world, call.host
    array = next((a for a in world.arrays.values() if portal in a.portals), None)
    if array is None or not world.reaches_portal(host.name, array.name, portal):
        said = "Connection refused" if array is None else "No route to host"
        return Output(stderr=f"iscsiadm: cannot make connection to {portal}: {said}\n", status=4)
    ways = [Way(array.name, one, iface) for one in array.portals for iface in host.ifaces or (DEFAULT,)]
    new = [way for way in ways if way not in host.records]
    host.records |= {way: NodeRecord() for way in new}
    known = [way for way in ways if way not in new and host.records[way] != NodeRecord()]
    if call.option("-o", "--op") != "new" and known:
        host.records |= {way: NodeRecord() for way in known}
        world.record(host.name, "iscsi.records", "set back to iscsid.conf", array=array.name)
    if new:
        world.record(host.name, "iscsi.discover", array.name)
    return Output("".join(f"{p},1 {array.target_iqn}\n" for p in array.portals))


def _records(call: Call) -> Output:
    if not call.host.records:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    arrays = call.world.arrays
    targets = sorted({(way.array, way.portal) for way in call.host.records})
    return Output("".join(f"{portal},1 {arrays[name].target_iqn}\n" for name, portal in targets))


def _shown(call: Call) -> Output:
    """Every record in full, secrets as stars."""
    found = _ways(call, call.host.records)
    if not found:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    return Output("".join(_record_text(call, way) for way in found))


def _record_text(call: Call, way: Way) -> str:
    record, (host, _, port) = call.host.records[way], way.portal.rpartition(":")
    auth = {"authmethod": "None", "username": "<empty>", "password": "<empty>"} | record.auth
    shown = auth | ({"password": "********"} if auth["password"] != "<empty>" else {})
    fields = "".join(f"node.session.auth.{name} = {value}\n" for name, value in shown.items())
    card = "<empty>" if way.iface == DEFAULT else way.iface
    head = _HEAD.format(iqn=call.world.arrays[way.array].target_iqn, startup=record.startup)
    return head + _IFACE.format(iface=way.iface, card=card) + fields + _CONN.format(host=host.strip("[]"), port=port)


def _ways(call: Call, among: Iterable[Way]) -> list[Way]:
    """Those that target, portal and interface of the command line mean; what is not said means all."""
    iqn, portal = call.option("-T", "--targetname"), call.option("-p", "--portal")
    iface, arrays = call.option("-I", "--interface"), call.world.arrays
    return sorted(
        way
        for way in among
        if iqn in (None, arrays[way.array].target_iqn) and portal in (None, way.portal) and iface in (None, way.iface)
    )


def _place(call: Call, way: Way) -> str:
    iqn = call.world.arrays[way.array].target_iqn
    return f"[iface: {way.iface}, target: {iqn}, portal: {way.portal.replace(':', ',')}]"


async def _login(call: Call) -> Output:
    """Each record that is meant; the last failure is the status."""
    ways = _ways(call, call.host.records)
    if not ways:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    done = [await _login_one(call, way) for way in ways]
    worst = next((one.status for one in done if one.status), 0)
    return Output("".join(one.stdout for one in done), "".join(one.stderr for one in done), worst)


async def _login_one(call: Call, way: Way) -> Output:
    host, world, where = call.host, call.world, _place(call, way)
    if way in host.sessions:
        said = f"iscsiadm: {way.iface}: 1 session requested, but 1 already present.\n"
        return Output("", f"{said}iscsiadm: Could not login to {where}.\n", EXISTS)
    if not world.reaches_portal(host.name, way.array, way.portal):
        if world.swallows(host.name, way.array, way.portal):
            await world.clock.sleep(GIVES_UP_AFTER)
        said = f"iscsiadm: Could not login to {where}.\niscsiadm: initiator reported error (8 - connection timed out)\n"
        return Output(f"Logging in to {where}\n", said, 8)
    if not admitted(world, host, way):
        said = (
            f"iscsiadm: Could not login to {where}.\n"
            "iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)\n"
        )
        return Output(f"Logging in to {where}\n", said, REFUSED)
    host.sessions[way] = max(host.sessions.values(), default=0) + 1
    world.scan(host.name, way)
    through = {} if way.iface == DEFAULT else {"iface": way.iface}
    world.record(host.name, "iscsi.login", way.portal, array=way.array, **through)
    return Output(f"Logging in to {where}\nLogin to {where} successful.\n")


def _logout(call: Call) -> Output:
    ways = _ways(call, call.host.sessions)
    if not ways or not call.option("-T", "--targetname"):
        return Output(stderr="iscsiadm: No matching sessions found\n", status=NONE)
    for way in ways:
        del call.host.sessions[way]
        call.host.scanned = {key: path for key, path in call.host.scanned.items() if key[0] != way}
        call.world.record(call.host.name, "iscsi.logout", way.portal)
    return Output("".join(f"Logout of {_place(call, way)} successful.\n" for way in ways))


def _update(call: Call) -> Output:
    ways = _ways(call, call.host.records)
    if not ways:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    name, value = call.option("-n", "--name"), call.option("-v", "--value") or ""
    if name and name.startswith(_AUTH):
        for way in ways:
            call.host.records[way].auth[name.removeprefix(_AUTH)] = value
        return Output()
    if name != "node.startup":
        return Output(stderr=f"iscsiadm: the twin does not change {name}\n", status=7)
    changed = [way for way in ways if call.host.records[way].startup != value]
    for way in changed:
        call.host.records[way].startup = value
    if changed:
        call.world.record(call.host.name, "iscsi.startup", changed[0].portal, to=value)
    return Output()


def add_to_record(call: Call, path: str, lines: str) -> Output | None:
    """Lines at the end of a record's file, each of which counts; None for a path that is none of open-iscsi's."""
    if not _RECORD_FILE.fullmatch(path):
        return None
    if (way := recorded_at(call, path)) is None:
        return Output(stderr=f"dd: failed to open '{path}': No such file or directory\n", status=1)
    record = call.host.records[way]
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, _, value = line.partition(" = ")
        record.auth[name.removeprefix(_AUTH)] = value
    call.world.record(call.host.name, "iscsi.auth", way.portal, user=record.auth.get("username", ""))
    return Output()


def recorded_at(call: Call, path: str) -> Way | None:
    """The way whose record is the file at that path; None where there is none."""
    if not (found := _RECORD_FILE.fullmatch(path)):
        return None
    host = f"[{found['host']}]" if ":" in found["host"] else found["host"]
    arrays, portal = call.world.arrays, f"{host}:{found['port']}"
    wanted = (found["iqn"], portal, found["iface"])
    ways = call.host.records
    return next((way for way in ways if (arrays[way.array].target_iqn, way.portal, way.iface) == wanted), None)


def _sessions(call: Call) -> Output:
    """The plain list, or with ``-P 1`` each session's interface and state, target by target."""
    if not call.host.sessions:
        return Output(stderr="iscsiadm: No active sessions.\n", status=NONE)
    # as the names of sysfs' folders sort: session1, session10, session2
    numbered = sorted(call.host.sessions.items(), key=lambda item: str(item[1]))
    iqns = {way: call.world.arrays[way.array].target_iqn for way in call.host.sessions}
    level = call.option("-P", "--print") or "0"
    if level not in ("0", "1"):
        return Output(stderr="iscsiadm: the twin prints sessions at level 0 and 1\n", status=7)
    if level == "0":
        return Output("".join(f"tcp: [{number}] {way.portal},1 {iqns[way]} (non-flash)\n" for way, number in numbered))
    text, before = "", ""
    for way, number in numbered:
        text += f"Target: {iqns[way]} (non-flash)\n" if way.array != before else ""
        text, before = text + _session_text(call, way, number), way.array
    return Output(text)


def _session_text(call: Call, way: Way, number: int) -> str:
    well = call.world.reaches_portal(call.host.name, way.array, way.portal)
    # FAILED until fast_io_fail_tmo is over, then FREE: that is when a path fails, and the twin's fail at once
    connection, session, daemon = (
        ("LOGGED IN", "LOGGED_IN", "NO CHANGE") if well else ("TRANSPORT WAIT", "FREE", "REOPEN")
    )
    lines = (
        f"Current Portal: {way.portal},1", f"Persistent Portal: {way.portal},1", "\t**********", "\tInterface:",
        "\t**********", f"\tIface Name: {way.iface}", "\tIface Transport: tcp",
        f"\tIface Initiatorname: {call.host.iqn}", f"\tIface IPaddress: {call.host.address}",
        "\tIface HWaddress: default", "\tIface Netdev: default", f"\tSID: {number}",
        f"\tiSCSI Connection State: {connection}", f"\tiSCSI Session State: {session}",
        f"\tInternal iscsid Session State: {daemon}",
    )  # fmt: skip
    return "".join(f"\t{line}\n" for line in lines)


def _rescan(call: Call) -> Output:
    if not call.host.sessions:
        return Output(stderr="iscsiadm: No session found.\n", status=NONE)
    lines = []
    for way, number in call.host.sessions.items():
        iqn = call.world.arrays[way.array].target_iqn
        lines.append(f"Rescanning session [sid: {number}, target: {iqn}, portal: {way.portal.replace(':', ',')}]\n")
        carries = call.world.reaches_portal(call.host.name, way.array, way.portal)
        if carries and call.world.scan(call.host.name, way):
            call.world.record(call.host.name, "iscsi.rescan", way.portal)
    return Output("".join(lines))
