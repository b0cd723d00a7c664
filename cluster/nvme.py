"""A node's NVMe/TCP controllers: what is missing, which paths ANA prefers, and what a reboot would lose. Pure.

Each connection to a portal is a controller of the kernel's, and each controller is a path to every namespace. The
kernel puts the paths of one subsystem together and no others: two arrays that show one namespace under two subsystems
are refused by it ("ignoring nsid … because of duplicate IDs", Linux, drivers/nvme/host/core.c). Portals are spelt with
their port: ``10.22.1.1:4420``.
"""

from collections.abc import Mapping, Sequence

from cluster.addresses import netloc
from cluster.nouns import Value
from cluster.portals import host_and_port

# Where NVMe/TCP arrays take connections, and where they also tell their portals (NVMe TCP transport, 1.0c: 3.1.1).
PORT = 4420
LIVE = "live"
OPTIMIZED, NON_OPTIMIZED = "optimized", "non-optimized"
DISCOVERY = "/etc/nvme/discovery.conf"
AUTOCONNECT = "nvmf-autoconnect.service"
# The kernel would remove controller, namespace and subsystem after 600 s, and nothing brings them back; a guide of the
# vendor's field engineers for Proxmox VE asks for -1 under LVM ("never gives up"). So that I/O does not wait for ever
# with it, it fails after 30 s without any path: longer than an array's failover, shorter than HA's watchdog (60 s).
LOSS = ("--ctrl-loss-tmo=-1", "--fast_io_fail_tmo=30")
RULES_FILE = "/etc/udev/rules.d/99-quorate-nvme.rules"
# The same guide; the kernel's default, numa, keeps to one path for each processor's node.
POLICY = "queue-depth"
RULES = (
    "# The vendor's recommended policy among paths; written by Quorate (paths.tuning: set).\n"
    f'ACTION=="add|change", SUBSYSTEM=="nvme-subsystem", ATTR{{subsystype}}=="nvm", ATTR{{iopolicy}}="{POLICY}"\n'
)


class Controller(Value):
    """One connection of a node's; `iface` is the node's end where it was chosen.

    `ana` is what the namespace is through it: empty where no namespace was asked for.
    """

    name: str
    subsystem: str
    portal: str
    iface: str = ""
    state: str = LIVE
    ana: str = ""
    group: str = ""  # what the kernel calls the subsystem: ``nvme-subsys1``

    @property
    def live(self) -> bool:
        """It carries commands."""
        return self.state == LIVE


class Line(Value):
    """One line of discovery.conf: the portal that is asked at boot, through which end of the node, how patiently."""

    portal: str
    iface: str = ""
    patient: bool = False  # its controllers are never given up


class Way(Value):
    """One portal, through one end of the node."""

    portal: str
    iface: str = ""

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.portal} through {self.iface}" if self.iface else self.portal

    @property
    def words(self) -> tuple[str, ...]:
        """As `nvme connect` and discovery.conf take it."""
        host, port = host_and_port(self.portal)
        through = (f"--host-iface={self.iface}",) if self.iface else ()
        return ("--transport=tcp", f"--traddr={host}", f"--trsvcid={port}", *through)


def portal(host: str, port: str) -> str:
    """Address and port of a controller as the arrays spell a portal."""
    return f"{netloc(host)}:{port}"


def line_of(way: Way) -> str:
    """The line of discovery.conf by which a boot connects to it."""
    return " ".join((*way.words, *LOSS))


def missing(portals: Sequence[str], controllers: Sequence[Controller], known: Sequence[str] = ()) -> tuple[Way, ...]:
    """The ways that have no controller, of all ends of the node that have one anywhere; one for each portal if none.

    `known` are the ends that discovery.conf names, for a node that has no controller yet. A controller that is not
    live is one all the same: the kernel itself connects it again.
    """
    ours = [one for one in controllers if one.portal in portals]
    ends = tuple(dict.fromkeys(one.iface for one in ours)) or tuple(dict.fromkeys(known)) or ("",)
    there = {(one.portal, one.iface) for one in ours}
    return tuple(Way(portal=one, iface=end) for one in portals for end in ends if (one, end) not in there)


def widest(portals: Sequence[str], controllers: Sequence[Controller]) -> int:
    """How many controllers each portal should have: as many as any has, one at least."""
    return max(1, *(sum(one.portal == at for one in controllers) for at in portals))


def lacking(
    portals: Mapping[str, Sequence[str]], near: str, controllers: Sequence[Controller], device: str | None, wwid: str
) -> str:
    """What differs from one live controller for each portal and end, with the ANA state that it should have.

    `portals` are by array, of which `near` is the node's own: its paths are optimized, those of the others are not.
    """
    if len(nqns := {one.subsystem for one in controllers if one.portal in every(portals)}) > 1:
        return subsystems_differ(nqns)
    if device is None:
        return f"no NVMe namespace {wwid}{_dark(portals, controllers)}"
    each = widest(every(portals), controllers)
    wrong = []
    for array, at in portals.items():
        wanted = OPTIMIZED if array == near else NON_OPTIMIZED
        usable = sum(one.live and one.portal in at and one.ana == wanted for one in controllers)
        if usable != len(at) * each:
            said = f"{usable} of {len(at) * each} {wanted} paths through {array}"
            wrong.append(f"{said}{_why(array, at, wanted, controllers)}")
    return "; ".join(wrong)


def usable(portals: Sequence[str], state: str, controllers: Sequence[Controller]) -> int:
    """How many live paths of that ANA state lead through these portals."""
    return sum(one.live and one.portal in portals and one.ana == state for one in controllers)


def subsystems_differ(nqns: set[str]) -> str:
    """That the kernel cannot put the arrays' paths together, and what would help."""
    return (
        f"the arrays show the pod under {len(nqns)} NVMe subsystems ({', '.join(sorted(nqns))}): Linux joins paths of "
        "one subsystem alone and refuses the same namespace under another; ask the vendor for a release that shows "
        "stretched pods under one, or set transport: iscsi"
    )


def beside(portals: Sequence[str], controllers: Sequence[Controller]) -> tuple[str, ...]:
    """Portals that have a controller and are none of these."""
    return tuple(dict.fromkeys(one.portal for one in controllers if one.portal not in portals))


def unlisted(ways: Sequence[Way], lines: Sequence[Line]) -> tuple[Way, ...]:
    """The ways that no line of discovery.conf brings back."""
    there = {(one.portal, one.iface) for one in lines}
    return tuple(way for way in ways if (way.portal, way.iface) not in there)


def impatient(portals: Sequence[str], lines: Sequence[Line]) -> tuple[str, ...]:
    """Portals whose lines let the kernel give a controller up."""
    return tuple(dict.fromkeys(one.portal for one in lines if one.portal in portals and not one.patient))


def lost_by_a_reboot(ways: Sequence[Way], *, enabled: bool) -> tuple[str, ...]:
    """What would be missing after the next boot: a sentence each, with the command that changes it."""
    found = []
    if not enabled:
        found.append(f"{AUTOCONNECT} is not enabled, so a reboot would lose the paths: systemctl enable {AUTOCONNECT}")
    if ways:
        found.append(
            f"{', '.join(way.shown for way in ways)} is not in {DISCOVERY}, so a reboot would lose these paths: "
            f"echo '{line_of(ways[0])}' >> {DISCOVERY}"
        )
    return tuple(found)


def every(portals: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The portals of all arrays."""
    return tuple(at for some in portals.values() for at in some)


def _dark(portals: Mapping[str, Sequence[str]], controllers: Sequence[Controller]) -> str:
    live = {one.portal for one in controllers if one.live}
    dark = [at for at in every(portals) if at not in live]
    return f": no controller is live at {', '.join(dark)}" if dark else ", though every controller is live"


def _why(array: str, at: Sequence[str], wanted: str, controllers: Sequence[Controller]) -> str:
    ours = [one for one in controllers if one.portal in at]
    if gone := [one for one in at if one not in {each.portal for each in ours}]:
        return f", no controller at {', '.join(gone)}"
    if down := [one for one in ours if not one.live]:
        return ", " + ", ".join(f"the controller at {one.portal} is {one.state}" for one in down)
    states = sorted({one.ana or "not told" for one in ours if one.ana != wanted})
    if states and not set(states) <= {OPTIMIZED, NON_OPTIMIZED}:
        return (
            f", ANA says {'/'.join(states)}: {array} does not serve it to this host; look at pod and connections there"
        )
    if states:
        return f", ANA says {'/'.join(states)}: compare preferred_arrays of the host on {array}"
    return ""
