"""The engine's reader of controllers without Redfish: FreeIPMI over UDP, against the twin's own end of the protocol."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.bmc.power import Power
from activities.clients import ipmi
from activities.clients.controllers import Controllers
from activities.clients.ipmi import refusal
from activities.clients.secrets import Secrets
from activities.errors import Conflict, NotYet, Refuted, Rejected, Unauthorized, Unreachable, Word
from activities.people.approvals import Approvals
from activities.watch.vantage import storage_and_power
from cluster.approval import ApprovalPolicy
from cluster.breakglass.power import PowerWish
from cluster.inventory import Bmc
from cluster.plan import Mode
from lab.physics.faults import Fault
from tests.ipmi import NODE, another, bmc_of, ipmi_inventory, nobody, password_of
from tests.twin import TwinThread
from workers.cli.doctor import page
from workers.cli.doctor.commands import examined
from workers.inventory_file import load
from workers.worker.wiring import quick

STATUS, CONTROL = "IPMI 00 01", "IPMI 00 02"


@pytest.fixture(scope="module")
def ipmi_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    twin = TwinThread(ipmi_inventory(tmp_path_factory.mktemp("ipmi")))
    yield twin
    twin.stop()


@pytest.fixture
def twin(ipmi_twin: TwinThread) -> TwinThread:
    ipmi_twin.reset()
    return ipmi_twin


@pytest.fixture
def bmc(twin: TwinThread) -> Bmc:
    return bmc_of(twin)


@pytest.fixture
def controllers(twin: TwinThread) -> Controllers:
    return Controllers(Secrets(twin.path.parent))


@pytest.fixture
def power(twin: TwinThread, controllers: Controllers) -> Power:
    secrets = Secrets(twin.path.parent)
    approvals = Approvals(ApprovalPolicy().signed_by(2), secrets)
    return Power(twin.inventory, controllers, quick(twin.inventory, secrets), approvals, twin.world.clock.speed)


def meets(twin: TwinThread, call: str, action: str, **more: object) -> None:
    """The controller meets a fault at every such command."""
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", call, action, times=None, **more))  # type: ignore[arg-type]


def test_the_power_is_read_again_and_again(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """The state is that of now, and the other nodes' Redfish is read beside it."""
    assert controllers.power(bmc)
    twin.power_off(NODE)
    assert not controllers.power(bmc)
    assert controllers.power(bmc_of(twin, "pxmx02-01"))


def test_it_is_switched_off_and_on(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """Without asking the operating system."""
    controllers.switch(bmc, on=False)
    assert not twin.world.nodes[NODE].powered
    assert not controllers.power(bmc)
    controllers.switch(bmc, on=True)
    assert controllers.power(bmc)


@pytest.mark.parametrize("name", ["", "pve1", "fourteen-bytes", "pxmx01-01.storage.example.net", "n" * 63])
def test_the_machines_own_name_is_read_whole(twin: TwinThread, controllers: Controllers, name: str):
    """Over as many blocks as it takes."""
    with another(twin, name=name) as bmc:
        assert controllers.machine(bmc) == name


def test_a_controller_without_system_names_names_nobody(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """The command is optional: it is no failure that there is none."""
    meets(twin, "IPMI 06 59", "fail", status=0xC1)
    assert controllers.machine(bmc) == ""


def test_an_address_of_version_six_is_asked(twin: TwinThread, controllers: Controllers):
    """With its port."""
    with another(twin, host="::1") as bmc:
        assert controllers.power(bmc)


def test_the_strongest_suite_is_spoken_and_the_older_one_is_told(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """A person should know that a controller signs with SHA-1."""
    assert controllers.power(bmc)
    assert controllers.remark(bmc) == ""
    with another(twin, suites=(3,)) as old:
        assert controllers.power(old)
        assert controllers.remark(old) == "IPMI cipher suite 3 (SHA-1): it has no suite 17"


def test_a_controller_without_a_safe_suite_is_refused(twin: TwinThread, controllers: Controllers):
    """Nobody falls back to one in which the password proves nothing."""
    with another(twin, suites=()) as bmc, pytest.raises(Rejected) as told:
        controllers.power(bmc)
    assert told.value.message == (
        f"{bmc.address} offers neither cipher suite 17 nor 3 of IPMI; enable suite 17 at the controller (never 0)"
    )


def test_a_wrong_user_and_a_wrong_password_are_told_apart(
    twin: TwinThread, controllers: Controllers, bmc: Bmc, tmp_path: Path
):
    """With what to correct, and without either secret."""
    (wrong := tmp_path / "wrong").write_text("not-the-password")
    with pytest.raises(Unauthorized) as user:
        controllers.power(bmc.model_copy(update={"user": "nobody"}))
    with pytest.raises(Unauthorized) as password:
        controllers.power(bmc.model_copy(update={"password": f"file:{wrong}"}))
    assert [user.value.message, password.value.message] == [
        f"{bmc.address} knows no user nobody; correct bmc.user and bmc.password, or the account at the controller",
        f"{bmc.address} and Quorate have different passwords for engine; correct bmc.user and bmc.password, or the "
        "account at the controller",
    ]


@pytest.mark.parametrize("written", ["", "x" * 21, "two\nlines"])
def test_a_password_that_no_controller_takes_is_not_sent(
    controllers: Controllers, bmc: Bmc, tmp_path: Path, written: str
):
    """Longer ones would be cut without a word by some."""
    (secret := tmp_path / "secret").write_text(written)
    with pytest.raises(Unauthorized) as told:
        controllers.power(bmc.model_copy(update={"password": f"file:{secret}"}))
    assert told.value.message == (
        f"secret file:{secret}: IPMI takes one line of 1 to 20 bytes; give the account of engine at {bmc.address} "
        "such a password, and put it there"
    )


def test_an_account_that_only_reads_switches_nothing(twin: TwinThread, controllers: Controllers):
    """Reading asks for the least role, so such an account is enough for the watch."""
    with another(twin, privilege=2) as bmc:
        assert controllers.power(bmc)
        with pytest.raises(Unauthorized) as told:
            controllers.switch(bmc, on=False)
    assert told.value.message == (
        f"{bmc.address} does not let engine be Operator, which switching needs; raise the account's privilege there"
    )
    assert twin.world.nodes[NODE].powered


def test_a_silent_controller_has_its_own_limit(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """In seconds of the wall, whether nothing is there or a session breaks off; a slow one is waited for."""
    absent = nobody(twin).model_copy(update={"answers_within": timedelta(seconds=0.4)})
    with pytest.raises(Unreachable, match=f"^Unreachable: {absent.address} does not answer over IPMI within 0.4 s$"):
        controllers.power(absent)
    meets(twin, STATUS, "hang")
    with pytest.raises(Unreachable, match=r"does not answer over IPMI within 0.5 s$"):
        controllers.power(bmc.model_copy(update={"answers_within": timedelta(seconds=0.5)}))
    twin.world.faults.clear()
    meets(twin, STATUS, "delay", seconds=0.6 * twin.world.clock.speed)
    assert controllers.power(bmc.model_copy(update={"answers_within": timedelta(seconds=20)}))


def test_a_controller_that_cannot_say_now_is_asked_again(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """Busy, or being initialised: neither on nor off."""
    meets(twin, STATUS, "fail", status=0xC0)
    with pytest.raises(NotYet) as told:
        controllers.power(bmc)
    assert told.value.message == f"{bmc.address} does not say now whether the machine is on (IPMI code C0h)"


def test_a_code_that_says_nothing_of_the_power_is_refused(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """It is neither on nor off."""
    meets(twin, STATUS, "fail", status=0xFF)
    with pytest.raises(Rejected, match=r"asked for the power, answers with code FFh and 0 bytes$"):
        controllers.power(bmc)


def test_an_order_that_does_not_fit_the_machines_state_is_a_conflict(
    twin: TwinThread, controllers: Controllers, bmc: Bmc
):
    """As over Redfish: the run looks what it is now."""
    meets(twin, CONTROL, "fail", status=0xD5)
    with pytest.raises(Conflict, match=r"refuses power off: the machine is in that state already, or on its way$"):
        controllers.switch(bmc, on=False)


def test_a_host_without_the_program_says_which_package_has_it(
    controllers: Controllers, bmc: Bmc, monkeypatch: pytest.MonkeyPatch
):
    """It is the worker's host that needs it."""
    monkeypatch.setattr(ipmi, "FOLDERS", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Rejected) as told:
        controllers.power(bmc)
    assert told.value.message == (
        f"{bmc.address} is to be asked over IPMI, and this worker's host has no ipmi-raw; "
        "there: apt install freeipmi-tools"
    )


def children() -> list[Path]:
    """What processes this one has begun and not ended."""
    return [
        Path("/proc", pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()
    ]


def test_nobody_else_on_the_host_sees_the_password(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """It stands on no command line and in no environment while a controller is asked."""
    meets(twin, STATUS, "hang")
    slow = bmc.model_copy(update={"answers_within": timedelta(seconds=2)})
    with ThreadPoolExecutor(1) as pool:
        question = pool.submit(controllers.power, slow)
        until = time.monotonic() + 1.5
        seen = b""
        while b"ipmi-raw" not in seen:
            assert time.monotonic() < until, "the program did not begin within 1.5 s"
            seen = b"".join((one / "cmdline").read_bytes() + (one / "environ").read_bytes() for one in children())
        assert isinstance(question.exception(), Unreachable)
    assert f"--hostname={bmc.address}".encode() in seen
    assert password_of(twin).encode() not in seen


def test_one_controllers_trouble_reaches_no_others_answer(
    twin: TwinThread, controllers: Controllers, bmc: Bmc, tmp_path: Path
):
    """Many at once, some wrong and some silent."""
    (wrong := tmp_path / "wrong").write_text("not-the-password")
    asked = [
        bmc,
        bmc.model_copy(update={"password": f"file:{wrong}"}),
        nobody(twin).model_copy(update={"answers_within": timedelta(seconds=1)}),
    ] * 6
    with ThreadPoolExecutor(len(asked)) as pool:
        found = [pool.submit(controllers.power, one) for one in asked]
        said = [type(one.exception()).__name__ for one in found]
    assert said == ["NoneType", "Unauthorized", "Unreachable"] * 6


@pytest.mark.parametrize(
    ("said", "word", "told"),
    [
        ("k_g invalid", Unauthorized,
         "10.0.0.1 wants a key K_g, which Quorate has none of; clear it at the controller"),
        ("ipmi 2.0 unavailable", Rejected, "10.0.0.1 speaks no IPMI 2.0, and older versions do not encrypt; use "
                                           "protocol redfish, or leave its bmc out"),
        ("BMC busy", NotYet, "10.0.0.1 is busy: it takes no session now"),
        ("session timeout", Unreachable, "10.0.0.1 does not answer over IPMI within 3 s"),
        ("invalid hostname", Unreachable, "10.0.0.1 does not answer: no address is known for that name"),
        ("privilege level cannot be obtained for this user", Unauthorized,
         "10.0.0.1 does not let engine be User; raise the account's privilege there"),
        ("bad completion code", Unreachable, "10.0.0.1 does not answer over IPMI as it should: bad completion code"),
    ],
)  # fmt: skip
def test_each_of_freeipmis_words_has_one_of_ours(said: str, word: type[Word], told: str):
    """Final where a person has to do something, tried again where time helps."""
    bmc = Bmc(address="10.0.0.1", protocol="ipmi", user="engine", password="env:BMC")
    found = refusal(bmc, f"ipmi-raw: {said}", "USER", 3.0)
    assert (type(found), found.message) == (word, told)


async def test_the_watch_reads_it_as_a_vantage_point(twin: TwinThread):
    """Nodes with and without Redfish side by side."""
    twin.power_off(NODE)
    secrets = Secrets(twin.path.parent)
    names = [NODE, "pxmx01-02", "pxmx02-01"]
    facts = await storage_and_power(twin.inventory, quick(twin.inventory, secrets), 1.0, names)
    assert {name: (look.on, look.silent) for name, look in facts.power.items()} == {
        NODE: (False, ""), "pxmx01-02": (True, ""), "pxmx02-01": (True, "")
    }  # fmt: skip


async def test_nothing_is_switched_without_an_approval(twin: TwinThread, power: Power):
    """Whatever protocol the order takes."""
    wish = PowerWish(mode=Mode.APPLY, node=NODE, on=False, turn=1, nameless=False)
    with pytest.raises(Unauthorized, match="BMC: power off pxmx01-01: it has no approval"):
        await ActivityEnvironment().run(power.switch, wish)
    assert twin.world.nodes[NODE].powered


async def test_a_machine_without_a_name_was_agreed_to_or_is_not_switched(twin: TwinThread, power: Power):
    """Most have told their controller no name: then people have looked at the device."""
    meets(twin, "IPMI 06 59", "fail", status=0x80)
    wish = PowerWish(mode=Mode.PLAN, node=NODE, on=False, turn=1, nameless=False)
    with pytest.raises(Refuted, match="knows no name of it: whether it is pxmx01-01 was not agreed to"):
        await ActivityEnvironment().run(power.switch, wish)
    agreed = wish.model_copy(update={"nameless": True})
    assert (await ActivityEnvironment().run(power.switch, agreed)).finding.endswith("; planned")


async def test_the_doctor_looks_at_controllers_with_and_without_redfish(twin: TwinThread, tmp_path: Path):
    """Those without show no certificate; one that signs with SHA-1 is told."""
    with another(twin, suites=(3,)) as old:
        (path := tmp_path / "inventory.yaml").write_text(
            twin.path.read_text().replace(bmc_of(twin).address, old.address)
        )
        (tmp_path / "secrets").symlink_to(twin.path.parent / "secrets")
        found = page.lines(await examined(load(path), path, ("controllers",)))
    assert [re.sub(r"good for \d+ days", "good for N days", line) for line in found] == [
        "Management controllers",
        "  ✓ 3 management controllers: certificate: signed by secrets/ca.pem, good for N days",
        "  ✓ management controller of pxmx01-01: machine: it is on, and called as in the inventory; IPMI cipher suite "
        "3 (SHA-1): it has no suite 17",
        "  ✓ 5 management controllers: machine: it is on, and called as in the inventory",
    ]
