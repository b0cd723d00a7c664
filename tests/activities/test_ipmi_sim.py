"""The engine's reader of controllers without Redfish, against OpenIPMI's simulator: a peer that is not ours."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.clients.controllers import Controllers
from activities.clients.secrets import Secrets
from activities.errors import Unauthorized, Unreachable
from cluster.inventory import Bmc

HOST = "127.31.9.1"
CONFIG = """name "quorate"
set_working_mc 0x20
  startlan 1
    addr {host} {port}
    priv_limit admin
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{script} 0x20"
  user 1 false "" "unused" user 10 none md2 md5 straight
  user 2 true "engine" "correct-horse" admin 10 none md2 md5 straight
"""
EMULATOR = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
# The simulator asks a program whether its machine is on, and tells it to switch: NAME get power, NAME set power 0.
SCRIPT = """#!/bin/sh
[ "$2 $3" = "get power" ] && echo "power:$(cat {state})"
[ "$2 $3" = "set power" ] && echo "$4" > {state}
exit 0
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bmc]:
    """A running ipmi_sim, and how an inventory would name it."""
    program = shutil.which("ipmi_sim")
    assert program, "ipmi_sim is not installed: apt install openipmi, or make test, which does"
    folder, port = tmp_path_factory.mktemp("sim"), free_port()
    (folder / "state").write_text("1")
    (script := folder / "chassis").write_text(SCRIPT.format(state=folder / "state"))
    script.chmod(0o755)
    (folder / "lan.conf").write_text(CONFIG.format(host=HOST, port=port, script=script))
    (folder / "sim.emu").write_text(EMULATOR)
    (folder / "password").write_text("correct-horse")
    running = subprocess.Popen(
        [program, "-c", folder / "lan.conf", "-f", folder / "sim.emu", "-s", folder / "kept", "-n"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    bmc = Bmc(address=f"{HOST}:{port}", protocol="ipmi", user="engine", password=f"file:{folder / 'password'}")
    until = time.monotonic() + 10
    while not answers(bmc):
        assert running.poll() is None, "the simulator has ended"
        assert time.monotonic() < until, "the simulator does not answer within 10 s"
    yield bmc
    running.kill()
    running.wait()


def answers(bmc: Bmc) -> bool:
    try:
        return Controllers(Secrets(Path())).power(bmc)
    except Unreachable:
        return False


def test_another_implementation_is_read_and_switched(simulator: Bmc):
    """It has no suite 17, and knows no name of its machine."""
    controllers = Controllers(Secrets(Path()))
    assert controllers.power(simulator)
    assert controllers.machine(simulator) == ""
    controllers.switch(simulator, on=False)
    assert not controllers.power(simulator)
    controllers.switch(simulator, on=True)
    assert controllers.power(simulator)
    assert controllers.remark(simulator) == "IPMI cipher suite 3 (SHA-1): it has no suite 17"


def test_another_implementation_refuses_as_ours_does(simulator: Bmc, tmp_path: Path):
    """User and password."""
    (wrong := tmp_path / "wrong").write_text("battery-staple")
    controllers = Controllers(Secrets(Path()))
    with pytest.raises(Unauthorized, match="knows no user nobody;"):
        controllers.power(simulator.model_copy(update={"user": "nobody"}))
    with pytest.raises(Unauthorized, match="different passwords for engine;"):
        controllers.power(simulator.model_copy(update={"password": f"file:{wrong}"}))
