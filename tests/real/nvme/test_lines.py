"""What nvme-cli, systemd and LVM print, line by line beside the twin's."""

import re

import pytest

from tests.real.alua.sides import Both
from tests.real.alua.texts import PASSING, differences

pytestmark = pytest.mark.real

SUBSYSTEM = "nqn.2010-06.com.purestorage:flasharray.5a8c19e07d2b4f63"
CONNECT = "nvme connect --transport=tcp --traddr={host} --trsvcid=4420 --nqn="
# Each line as the engine's activities send it, and some that ask for what is not there.
COMMANDS = (
    "nvme list-subsys -o json",
    "nvme list-subsys",
    "nvme list-subsys /dev/nvme1n1 -o json",
    "nvme list-subsys /dev/nvme1n1",
    "nvme list-subsys /dev/nvme9n1 -o json",
    "nvme list-subsys /dev/nvme9n1",
    "nvme list-subsys /dev/sda -o json",
    "nvme list -o json",
    "nvme list",
    "nvme version",
    "nvme show-hostnqn",
    "readlink -e /dev/disk/by-id/nvme-{wwid}",
    "readlink -e /dev/disk/by-id/nvme-eui.dead",
    "cat /etc/nvme/hostnqn",
    "cat /etc/nvme/discovery.conf",
    "cat /sys/module/nvme_core/parameters/multipath",
    "cat /sys/module/nvme_tcp/initstate",
    "cat /sys/class/nvme-subsystem/nvme-subsys9/iopolicy",
    "systemctl show --property=Id,UnitFileState nvmf-autoconnect.service",
    f"{CONNECT}{SUBSYSTEM}",
    f"{CONNECT}nqn.2010-06.com.purestorage:wrong",
    f"nvme disconnect --nqn={SUBSYSTEM}x",
    "multipath -ll {wwid}",
    "vgs --reportformat json --units b --nosuffix -o vg_name,pv_name,vg_size,vg_free",
    "wipefs --no-act /dev/nvme1n1",
)
# The disk within the node, which is no array's: what it is called, and where it sits. And the node's own address, and
# the array's release.
NODES_OWN = (
    *PASSING,
    (re.compile(r"nqn\.2019-08\.org\.qemu:OWN-2|nqn\.2014\.08\.org\.nvmexpress:1e0f1e0f[^\"]*"), "own disk"),
    (re.compile(r"0000:[0-9a-f]{2}:[0-9a-f]{2}\.\d"), "0000:…"),
    (re.compile(r"^/dev/nvme0n1 .*"), "/dev/nvme0n1 …"),
    (re.compile(r'"(QEMU NVMe Ctrl|KIOXIA KCD81RUG960G|OWN-2|62V0A01NTLZ8)"'), '"…"'),
    (re.compile(r"\b(67108864|960197124096|131072|1875385008)\b"), "…"),
    (re.compile(r'("Firmware":).*'), r"\1…"),
    (re.compile(r"^(/dev/nvme1n1 .*) [0-9.]+ *$"), r"\1 …"),
    (re.compile(r"src_addr=[0-9.]+"), "src_addr=…"),
)


async def test_the_twin_prints_what_nvme_cli_prints_with_eight_paths(both: Both):
    """Twenty-five commands on a node whose controllers and group are as the deployment made them."""
    assert await differences(both, COMMANDS, NODES_OWN) == ""
