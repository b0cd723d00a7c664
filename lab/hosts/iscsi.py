"""open-iscsi on a node: discovery, records, sessions. An array lets anyone log in; LUNs are another matter."""

from lab.hosts.shell import Call, Output, Registry

ISCSI = Registry()

NONE, EXISTS = 21, 15


@ISCSI.program("cat")
async def cat(call: Call) -> Output:
    """The few files that are read."""
    if call.words == ("/etc/iscsi/initiatorname.iscsi",):
        return Output(f"## DO NOT EDIT OR REMOVE THIS FILE!\nInitiatorName={call.host.iqn}\n")
    return Output(stderr=f"cat: {' '.join(call.words)}: No such file or directory\n", status=1)


_OPTIONS = (
    "-m= --mode= -t= --type= -p= --portal= -T= --targetname= -l --login -R --rescan -o= --op= -n= --name= -v= --value="
)


@ISCSI.program("iscsiadm", _OPTIONS)
async def iscsiadm(call: Call) -> Output:
    """`iscsiadm -m discovery|node|session`."""
    mode = call.option("-m", "--mode")
    if mode == "discovery":
        return _discover(call)
    if mode == "session":
        return _rescan(call) if call.has("--rescan", "-R") else _sessions(call)
    if mode == "node" and call.has("--login", "-l"):
        return _login(call)
    if mode == "node" and call.option("--op", "-o") == "update":
        return _startup(call)
    if mode == "node":
        return _records(call)
    return Output(stderr="iscsiadm: invalid mode\n", status=7)


def _discover(call: Call) -> Output:
    portal = call.option("-p", "--portal") or ""
    array = next((a for a in call.world.arrays.values() if portal in a.portals), None)
    if array is None or not call.world.reaches_portal(call.host.name, array.name, portal):
        said = "Connection refused" if array is None else "No route to host"
        return Output(stderr=f"iscsiadm: cannot make connection to {portal}: {said}\n", status=4)
    new = {(array.name, p) for p in array.portals} - call.host.discovered
    if new:
        call.host.discovered |= new
        call.world.record(call.host.name, "iscsi.discover", array.name)
    return Output("".join(f"{p},1 {array.target_iqn}\n" for p in array.portals))


def _records(call: Call) -> Output:
    if not call.host.discovered:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    arrays = call.world.arrays
    return Output("".join(f"{portal},1 {arrays[name].target_iqn}\n" for name, portal in sorted(call.host.discovered)))


def _record(call: Call) -> tuple[str, str] | None:
    iqn, portal = call.option("-T", "--targetname"), call.option("-p", "--portal")
    arrays = call.world.arrays
    return next((r for r in call.host.discovered if arrays[r[0]].target_iqn == iqn and r[1] == portal), None)


def _login(call: Call) -> Output:
    record = _record(call)
    if record is None:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    array = call.world.arrays[record[0]]
    where = f"[iface: default, target: {array.target_iqn}, portal: {record[1].replace(':', ',')}]"
    if record in call.host.sessions:
        said = (
            f"iscsiadm: default: 1 session requested, but 1 already present.\niscsiadm: Could not login to {where}.\n"
        )
        return Output("", said, EXISTS)
    if not call.world.reaches_portal(call.host.name, array.name, record[1]):
        said = f"iscsiadm: Could not login to {where}.\niscsiadm: initiator reported error (8 - connection timed out)\n"
        return Output(f"Logging in to {where}\n", said, 8)
    call.host.sessions[record] = max(call.host.sessions.values(), default=0) + 1
    call.world.scan(call.host.name, *record)
    call.world.record(call.host.name, "iscsi.login", record[1], array=array.name)
    return Output(f"Logging in to {where}\nLogin to {where} successful.\n")


def _startup(call: Call) -> Output:
    record = _record(call)
    if record is None:
        return Output(stderr="iscsiadm: No records found\n", status=NONE)
    if call.option("-n") == "node.startup" and call.option("-v") == "automatic" and record not in call.host.automatic:
        call.host.automatic.add(record)
        call.world.record(call.host.name, "iscsi.startup", record[1])
    return Output()


def _sessions(call: Call) -> Output:
    if not call.host.sessions:
        return Output(stderr="iscsiadm: No active sessions.\n", status=NONE)
    arrays = call.world.arrays
    return Output(
        "".join(
            f"tcp: [{number}] {portal},1 {arrays[name].target_iqn} (non-flash)\n"
            for (name, portal), number in sorted(call.host.sessions.items(), key=lambda item: item[1])
        )
    )


def _rescan(call: Call) -> Output:
    if not call.host.sessions:
        return Output(stderr="iscsiadm: No session found.\n", status=NONE)
    lines = []
    for (name, portal), number in call.host.sessions.items():
        array = call.world.arrays[name]
        lines.append(
            f"Rescanning session [sid: {number}, target: {array.target_iqn}, portal: {portal.replace(':', ',')}]\n"
        )
        if call.world.reaches_portal(call.host.name, name, portal) and call.world.scan(call.host.name, name, portal):
            call.world.record(call.host.name, "iscsi.rescan", portal)
    return Output("".join(lines))
