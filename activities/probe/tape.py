"""Commands on hosts, with a tape of what they said: a probe keeps the words, not what a reader made of them."""

import json
from typing import Any

from activities.clients.secrets import Secrets
from activities.clients.ssh import Answer, Hosts
from cluster.inventory import Inventory
from cluster.probing.cleaning import Answer as Told
from cluster.probing.cleaning import Of

# How a command begins, and what its answer is called in a bundle. What is not here is not kept.
_LABELS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("dpkg-query",), "packages"),
    (("systemctl", "show", "--property=Id,ActiveState,UnitFileState"), "units"),
    (("systemctl", "show", "--property=Id,UnitFileState", "nvmf-autoconnect.service"), "nvme-unit"),
    (("systemctl", "show", "--property=Id,UnitFileState"), "boot-units"),
    (("cat", "/etc/multipath/wwids"), "wwids"),
    (("cat", "/etc/iscsi/initiatorname.iscsi"), "initiator"),
    (("cat", "/etc/nvme/hostnqn"), "hostnqn"),
    (("cat", "/etc/nvme/discovery.conf"), "discovery"),
    (("cat", "/sys/module/nvme_core/parameters/multipath"), "nvme-multipath"),
    (("nvme", "list-subsys", "-o", "json"), "nvme-subsystems"),
    (("cat", "/etc/os-release"), "release"),
    (("pvecm", "status"), "votes"),
    (("corosync-cfgtool", "-s"), "links"),
    (("corosync-qdevice-tool", "-s"), "device"),
    (("corosync-qnetd-tool", "-l"), "witness-clients"),
    (("iscsiadm", "-m", "session"), "sessions"),
    (("iscsiadm", "-m", "node"), "records"),
    (("multipath", "-ll"), "maps"),
    (("multipathd", "show", "config"), "multipath-config"),
    (("vgs",), "volume-groups"),
    (("lvs",), "logical-volumes"),
)
_JSON = ("volume-groups", "logical-volumes", "nvme-subsystems")


class Tape(Hosts):
    """The hosts of an inventory; what each of them has said is kept by its label."""

    def __init__(self, inventory: Inventory, secrets: Secrets) -> None:
        super().__init__(inventory, secrets)
        self._tape: dict[tuple[str, str], Answer] = {}

    async def run(self, host: str, *words: str, limit: float | None = None) -> Answer:
        """Run one command, as ever, and keep what it said."""
        answer = await super().run(host, *words, limit=limit)
        label = next((label for begin, label in _LABELS if words[: len(begin)] == begin), None)
        if label is not None:
            self._tape[host, label] = answer
        return answer

    def told(self, of: Of, host: str, label: str, word: str = "") -> Told:
        """What the host said under that label; `word` says why it cannot be read, or is missing."""
        answer = self._tape.get((host, label))
        if answer is None:
            return Told(of=of, who=host, what=label, word=word or "NotFound")
        data = _parsed(answer.stdout) if label in _JSON else answer.stdout.splitlines()
        return Told(of=of, who=host, what=label, data=data, status=answer.status, word=word)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
