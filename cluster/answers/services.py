"""Advice for votes, the witness, HA, corosync's links and what does not answer (docs/incidents.md)."""

from cluster.answers.texts import PLANNED, Advice, do
from cluster.conditions import THIRD_PLACE, Kind

SERVICES: dict[Kind, Advice] = {
    "witness-lost": Advice(
        title="The witness {witness} gives no vote",
        stake="Guests go on; the loss of a site would now stop everything.",
        alone="nothing",
        do=(
            do("check the witness's host, TCP port 5403 and its certificates", "corosync-qnetd-tool -lv"),
            do("start no planned work on nodes or sites until every node counts its vote again"),
        ),
    ),
    "votes-changed": Advice(
        title="The votes are not as designed",
        stake="Guests go on; a loss may now end differently from the design.",
        alone="nothing",
        do=(
            do("set quorum_votes of each node to 1 in corosync.conf, and do not leave `pvecm expected` in force"),
            do("compare the votes of all nodes with the evidence", "pvecm status"),
        ),
        never="start planned work on nodes or sites before the votes are as designed",
    ),
    "ha-error": Advice(
        title="HA has given up {guests}",
        stake="HA does not start {them} again.",
        alone="nothing",
        do=(
            do("find the cause in the task log of the node: storage, lock, configuration"),
            do("when the cause is fixed, have HA start {them} again", "{revive}"),
            do(f"or have that {PLANNED}", "quorate plan revive-guests"),
        ),
        never="start {them} outside HA",
    ),
    "ha-impaired": Advice(
        title="HA is impaired ({where})",
        stake="Guests go on; HA may not restart those of a node that is lost now.",
        alone="HA does not act on the nodes named in the evidence; a node whose LRM is dead resets itself or is fenced",
        do=(
            do(
                "check pve-ha-lrm, pve-ha-crm and watchdog-mux on these nodes",
                "systemctl status pve-ha-lrm pve-ha-crm watchdog-mux",
            ),
            do("check the clocks of all nodes", "chronyc tracking"),
        ),
        never="kill pve-ha-lrm, pve-ha-crm or watchdog-mux: the node may reset",
    ),
    "links-down": Advice(
        title="Corosync has lost a link ({where})",
        stake="Guests go on; when the other link goes too, nodes with HA guests reset.",
        alone="corosync goes on over the other link",
        do=(do("check the network of the link that is down, on the nodes named", "corosync-cfgtool -s"),),
        never="restart corosync on all nodes",
    ),
    "blind": Advice(
        title="No answer from {where}",
        stake="Guests go on; a loss would be confirmed later, or not at all.",
        alone="nothing",
        do=(do("check whether the service answers from the worker's host: network, firewall, daemon"),),
    ),
    "not-deployed": Advice(
        title="{where} is not deployed",
        stake="The watch waits for it.",
        alone="nothing",
        do=(do("deploy the cluster, or correct the inventory", "quorate plan deploy"),),
    ),
    "healthy": Advice(title="All is well", stake="", alone="nothing"),
}

CASES: dict[tuple[Kind, str], Advice] = {
    ("ha-error", "unmanaged"): Advice(
        title="HA no longer manages {guests}",
        stake="Guests go on; HA does not restart {them} when {its} node or site is lost.",
        alone="nothing",
        do=(
            do(
                "put {them} under HA again, or take {them} out of the inventory", "ha-manager add GUEST --state started"
            ),
        ),
    ),
    ("ha-error", "waiting"): Advice(
        title="HA does not get {guests} to run",
        stake="HA keeps trying.",
        do=(
            do(
                "look for rules, maintenance, storage or memory that leave no node for {them}",
                "ha-manager status; ha-manager rules list",
            ),
        ),
        never="start {them} outside HA",
    ),
    ("ha-impaired", "disarmed"): Advice(
        title="HA is disarmed",
        stake="A lost node is not fenced, and its guests stay down.",
        alone="nothing, until HA is armed again",
        do=(
            do("find out who has disarmed HA and why", "pvecm status"),
            do(
                "when that work is over and every node is a member, arm HA",
                "ha-manager crm-command arm-ha",
            ),
        ),
        never="start planned work while HA is disarmed, or arm it while a node is cut off and may still "
        "run: no watchdog has stopped its guests, and HA may start them a second time",
    ),
    ("witness-lost", "elsewhere"): Advice(
        title="The vote comes from another host than the witness {witness}",
        stake="Guests go on; after the loss of a site another host decides than the designed witness.",
        alone="nothing",
        do=(
            do(
                "compare the QNetd host on the nodes with {address}, the witness's address in the inventory",
                "corosync-qdevice-tool -sv",
            ),
            do(
                "set up the quorum device at the designed witness",
                "pvecm qdevice remove && pvecm qdevice setup {address}",
            ),
        ),
        never="start planned work on nodes or sites before you know which host gives the vote",
    ),
    ("witness-lost", "not configured"): Advice(
        title="No quorum device is configured",
        stake="Guests go on; the loss of a site would now stop everything.",
        alone="nothing",
        do=(
            do(
                "set up the quorum device again, then check `A,V` in `pvecm status`",
                "pvecm qdevice setup {address}",
            ),
            do("start no planned work on nodes or sites until every node counts its vote again"),
        ),
    ),
    ("witness-lost", THIRD_PLACE): Advice(
        title="Nodes of the third place {third} have no vote",
        stake="Guests go on; the loss of a site may now stop everything.",
        alone="nothing",
        do=(
            do("bring back the nodes at {third}: {silent}; check their power and corosync's links", "pvecm status"),
            do("start no planned work on nodes or sites until every node counts their votes again"),
        ),
    ),
    ("blind", "hidden"): Advice(
        title="Quorate is not shown {where}",
        stake="Guests go on; what becomes of what is hidden is not known.",
        alone="nothing",
        do=(
            do("grant the right that is missing: VM.Audit of a guest, to the token and to its user"),
            do("at an array: give Quorate's user back the role or policy that shows it pods, hosts and ports"),
        ),
        never="take what is not shown for gone: guests may run there",
    ),
    ("blind", "refused"): Advice(
        title="{where} refuses to answer",
        stake="Guests go on; a loss would be confirmed later, or not at all.",
        alone="nothing",
        do=(
            do("renew the token or key, or grant the right that the refusal names"),
            do("check the certificate"),
        ),
    ),
}
