"""What the vendor recommends for the disks of a Linux host, and what a host has instead. Pure.

Source: "Linux Recommended Settings" of the vendor's support pages, which give them as a udev rule: a SCSI timeout of
60 s (Linux has 30 s), no scheduler, no entropy from the disks, completions on the processor that asked. None of them is
a matter of safety, so what differs is told and refuses nothing.
"""

import re
from collections.abc import Mapping

# Setting, as a path below /sys/block/DISK, and what it should be.
RECOMMENDED = {
    "device/timeout": "60",
    "queue/scheduler": "none",
    "queue/add_random": "0",
    "queue/rq_affinity": "2",
}
_CALLED = {
    "device/timeout": "SCSI timeout",
    "queue/scheduler": "scheduler",
    "queue/add_random": "add_random",
    "queue/rq_affinity": "rq_affinity",
}
_UNIT = {"device/timeout": " s"}
RULES_FILE = "/etc/udev/rules.d/99-quorate-purity.rules"
_WHICH = 'ACTION=="add|change", KERNEL=="sd*[!0-9]", SUBSYSTEM=="block", ENV{ID_VENDOR}=="PURE"'
RULES = "# The vendor's recommended settings for its disks; written by Quorate (paths.tuning: set).\n" + "".join(
    f'{_WHICH}, ATTR{{{name}}}="{value}"\n' for name, value in RECOMMENDED.items()
)


def differs(disks: Mapping[str, Mapping[str, str]]) -> str:
    """What disks have instead of what is recommended, in words; empty when nothing differs.

    `disks` has the settings of each disk as the kernel shows them; one that it does not show is not judged.
    """
    said = []
    for name, wanted in RECOMMENDED.items():
        found = [_plain(settings[name]) for settings in disks.values() if name in settings]
        if wrong := [value for value in found if value != wanted]:
            unit = _UNIT.get(name, "")
            many = "" if len(wrong) == len(disks) else f" on {len(wrong)} of {len(disks)} disks"
            said.append(f"{_CALLED[name]} {'/'.join(sorted(set(wrong)))}{unit}{many} (recommended: {wanted}{unit})")
    return ", ".join(said)


def _plain(value: str) -> str:
    """The choice of a list: ``[none] mq-deadline`` is none."""
    chosen = re.search(r"\[(\S+)\]", value)
    return chosen[1] if chosen else value.strip()
