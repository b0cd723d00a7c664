"""The table of faults: names, arguments, meanings, and the incidents of the catalogue that they belong to."""

from dataclasses import dataclass

from cluster.transports import Transport
from lab.control import guest_parts as drill_guests
from lab.control import ha_parts as drill_ha
from lab.control import parts as parts
from lab.control import pod_parts as drill_pods
from lab.control import surroundings as around
from lab.control import ways as ways
from lab.control.parts import Parts
from lab.control.places import Argument

SITE = Argument("SITE", "site")
ARRAY = Argument("ARRAY", "array")
POD = Argument("POD", "pod")
NODE = Argument("NODE", "node")
HOST = Argument("HOST", "host")
SERVICE = Argument("SERVICE", "service")
MAYBE_SITE = Argument("SITE", "site", optional=True)
MAYBE_NODE = Argument("NODE", "node", optional=True)
GUEST = Argument("GUEST", "guest")
TIMES = Argument("TIMES", "count", optional=True, amount=True)
SECONDS = Argument("SECONDS", "number", amount=True)


@dataclass(frozen=True)
class Drill:
    """One fault of the table. `incidents` are numbers of the catalogue of incidents.

    A `momentary` one happens and is over: there is nothing to restore. `only` names the transports that have it.
    """

    name: str
    arguments: tuple[Argument, ...]
    meaning: str
    incidents: tuple[str, ...]
    parts: Parts
    momentary: bool = False
    only: tuple[Transport, ...] = ()

    @property
    def usage(self) -> str:
        """``ring NODE RING``, ``mediator [SITE]``."""
        return " ".join([self.name, *(argument.usage for argument in self.arguments)])


_ALL = (
    Drill(
        "site-power", (SITE,), "A site loses its power: its nodes and its array are off at once.",
        ("I-01", "I-05", "I-06", "I-21"), parts.site_power,
    ),
    Drill(
        "site-network", (SITE,), "All that leaves a site's network is cut: other site, witness, mediator, engine.",
        ("I-02",), parts.links("uplink:{0}"),
    ),
    Drill(
        "inter-site", (), "The network between the sites is cut: management and both corosync rings.",
        ("I-03",), parts.links("inter-site"),
    ),
    Drill(
        "storage-network", (MAYBE_SITE,), "The storage network between the sites is cut, or the one within a site.",
        ("I-09", "I-14"), parts.links("san:{0}", without="san"),
    ),
    Drill("replication", (), "The arrays do not reach each other.", ("I-09",), parts.links("replication")),
    Drill(
        "mediator", (MAYBE_SITE,), "The mediator is gone, or a site's array does not reach it.",
        ("I-10",), parts.links("mediator:{0}", without="mediator"),
    ),
    Drill("pod-mediator", (POD,), "The mediator of one pod is gone; those of other pods answer.", ("I-10",),
          parts.links("pod-mediator:{0}")),
    Drill("pod-replication", (POD,), "One pod is mirrored no more and parts; the arrays stay connected.",
          ("I-09", "I-11"), parts.links("pod-replication:{0}")),
    Drill("pod-preference", (POD, ARRAY), "One pod prefers that array after a parting, whatever the others prefer.",
          ("I-09",), drill_pods.preference),
    Drill("witness", (), "The witness loses its power.", ("I-04", "I-05"), parts.witness_power),
    Drill("witness-link", (SITE,), "A site does not reach the witness.", ("I-04",), parts.links("witness:{0}")),
    Drill("array", (ARRAY,), "An array loses its power; the site's nodes run on.", ("I-08", "I-11"), parts.array_power),
    Drill(
        "controller", (ARRAY, Argument("CT", "controller")), "One controller of an array fails.",
        ("I-08", "I-13"), parts.controller,
    ),
    Drill(
        "portal", (ARRAY, Argument("PORTAL", "portal")), "One port of an array that nodes use is down.",
        ("I-13",), parts.links("portal:{0}:{1}"),
    ),
    Drill(
        "hba", (NODE, Argument("HBA", "hba")), "One HBA port of a node has no link (Fibre Channel alone).",
        ("I-13", "I-14"), parts.links("hba:{0}:{1}"), only=("fc",),
    ),
    Drill("node", (NODE,), "One node loses its power.", ("I-17",), parts.node_power),
    Drill(
        "node-network", (NODE,), "One node's network cards fail, all but storage.",
        ("I-17", "I-20"), parts.links("node:{0}"),
    ),
    Drill(
        "ring", (NODE, Argument("RING", "ring")), "One corosync ring of a node is cut.",
        ("I-25",), parts.links("ring{1}:{0}"),
    ),
    Drill("watchdog", (NODE,), "A node's watchdog does not reset it, whatever happens.", ("I-22", "I-23"),
          parts.watchdog),
    Drill("watchdog-stopped", (NODE,), "A node's watchdog-mux does not run: nothing would reset it.", ("I-22",),
          parts.watchdog_stopped),
    Drill("lrm-stalled", (NODE,), "A node's pve-ha-lrm hangs while the node runs: its watchdog is not fed.",
          ("I-17", "I-22"), drill_ha.lrm_stalled),
    Drill("crm-stopped", (NODE,), "A node's pve-ha-crm is stopped: it is not master, and will not be.", ("I-20",),
          drill_ha.crm_stopped),
    Drill("start-fails", (GUEST, TIMES), "A guest does not start, so many times or until it is restored.",
          ("I-20",), drill_ha.order_fails("start")),
    Drill("migration-fails", (GUEST, TIMES), "A guest's migration fails at its end, so many times or until restored.",
          ("I-27", "I-28"), drill_ha.order_fails("migrate")),
    Drill("vg-hidden", (NODE,), "LVM's filter on a node hides the shared volume group.", ("I-14", "I-21"),
          parts.group_hidden),
    Drill("clock", (HOST, SECONDS), "A host's clock is off by so many seconds, ahead when positive.",
          ("I-24",), parts.clock_offset),
    Drill(
        "clock-drift", (HOST, Argument("RATE", "number", amount=True)),
        "A host's clock gains so many seconds in each second.", ("I-24",), parts.clock_drift,
    ),
    Drill("stale-lv", (NODE, Argument("LV", "lv")), "A logical volume is active on a node that does not own it.",
          ("I-15", "I-21"), parts.stale_volume),
    Drill("suspended-lv", (NODE, Argument("LV", "lv")), "A logical volume is suspended on a node where it is active.",
          ("I-15", "I-21"), drill_guests.suspended_volume),
    Drill("hung-api", (SERVICE,), "An API, or an sshd, takes every call and never answers.", ("I-32",),
          parts.plant("hang")),
    Drill(
        "failing-api", (SERVICE, Argument("STATUS", "status", amount=True)),
        "Every call is refused with a status (over SSH: an exit status).", ("I-32",), parts.plant("fail"),
    ),
    Drill(
        "lying-api", (SERVICE,), "Reads are answered as they were when the fault began; writes work.",
        ("I-31",), parts.plant("stale"),
    ),
    Drill("slow-api", (SERVICE, SECONDS), "Every answer comes so many lab seconds late.", ("I-31", "I-32"),
          parts.plant("delay")),
    Drill(
        "latency",
        (Argument("PLACE", "place"), Argument("PLACE", "place"), Argument("MS", "positive", amount=True)),
        "The round trip between two places takes so many milliseconds.", ("I-29",), parts.latency,
    ),
    Drill("session-expiry", (ARRAY,), "An array ends all sessions: every client has to log in again.", ("I-32",),
          parts.end_sessions, momentary=True),
    Drill("package-missing", (HOST, Argument("PACKAGE", "package")), "A package is not installed on a host.",
          ("I-21",), parts.package),
    Drill(
        "guest-paused", (Argument("GUEST", "machine"), Argument("STATE", "qmp", optional=True, amount=True)),
        "A virtual machine's process is there and does not work; the cluster shows its state in place of running.",
        ("I-08",), drill_guests.guest_paused,
    ),
    Drill("right-missing", (Argument("PRIVILEGE", "privilege"),), "The engine's token lacks a privilege everywhere.",
          ("I-32",), around.right),
    Drill("backup-run", (Argument("JOB", "job"),), "A backup job's time has come, once; one that is off does not run.",
          ("I-19", "I-27"), around.backup, momentary=True),
    Drill(
        "neighbour-cluster", (Argument("NAME", "name"), Argument("NODES", "count", optional=True, amount=True)),
        "The witness serves another cluster too, with node ids from 1 on.", ("I-01", "I-05"), around.neighbour,
    ),
    Drill("friendly-names", (MAYBE_NODE,), "Multipath calls its maps mpatha, mpathb and so on, each node for itself.",
          ("I-14",), around.friendly_names),
    Drill("alias", (Argument("NAME", "name"),), "multipath.conf has an alias for the pod's volume, on every node.",
          ("I-14",), around.alias),
    Drill("local-map", (NODE, Argument("SHAPE", "local map")),
          "Multipath has claimed a disk of a node's own, whose WWID has letters or blanks.", ("I-14",),
          around.local_map),
    Drill("multipath-queues", (NODE,), "multipath on a node queues I/O for ever once every path is lost.", ("I-14",),
          ways.queues),
    Drill("logins-by-hand", (NODE,),
          "A node's unit that logs in at the arrays does not boot along (not on Fibre Channel).",
          ("I-13", "I-14"), ways.by_hand, only=("iscsi", "nvme-tcp")),
    Drill("small-packets", (ARRAY, Argument("PORTAL", "portal")),
          "Large packets do not reach a portal in one piece: logins work, I/O hangs (not on Fibre Channel).", ("I-14",),
          ways.small_packets, only=("iscsi", "nvme-tcp")),
    Drill(
        "volume-beside", (ARRAY, Argument("LUN", "count")),
        "An array offers the nodes one more volume, in no pod, at that LUN.", ("I-14", "I-16"), around.volume_beside,
    ),
)  # fmt: skip

DRILLS: dict[str, Drill] = {drill.name: drill for drill in _ALL}
