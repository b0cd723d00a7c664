"""`quorate init` against the twin: what it reads is what the example says, and what it cannot use leaves no file."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activities.clients.shown import certificate
from cluster.approval import ApprovalPolicy
from cluster.inventory import FailbackPolicy, Inventory, Limits, Timeouts
from cluster.trust import endpoints
from lab.physics.faults import Fault
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site
from tests.places import linked, third_place, unequal
from tests.pods import two_pods
from tests.twin import bent, inventory_file, over_fibre, over_nvme
from workers.cli.check import checked
from workers.cli.init.page import write
from workers.cli.main import run
from workers.errors import Unusable
from workers.inventory_file import load

LONGEST = 120  # seconds


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The article's cluster, as its deployment leaves it."""
    site = Site(inventory_file(tmp_path_factory.mktemp("lab"), "init"))
    site.rebuild()
    yield site
    site.stop()


@pytest.fixture(autouse=True)
def lifted(lab: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every command is typed in the inventory's folder, with nothing planted and nothing written."""
    monkeypatch.chdir(lab.path.parent)
    yield
    lab.world.faults.clear()
    (lab.path.parent / "new.yaml").unlink(missing_ok=True)


def words(site: Site, *more: str) -> list[str]:
    """The options that lead to a twin; what comes later in the line wins."""
    known = site.inventory
    a, b = known.arrays
    return [
        *("init", "--out", "new.yaml", "--pve", f"https://{known.nodes[0].address}:{known.api.port}/#v1:0:18:4"),
        *("--pve-token", known.api.token, "--pve-ca", str(known.api.ca)),
        *("--array-a", f"https://{a.address}", "--array-a-token", a.api_token),
        *("--array-b", b.address, "--array-b-token", b.api_token, "--array-ca", str(a.ca)),
        *("--site-a", known.sites[0].name, "--site-b", known.sites[1].name),
        *(("--witness", f"{known.decider}={known.device}") if known.witness else ("--site-c", known.decider)),
        *("--ssh-key", known.ssh.key, "--known-hosts", known.ssh.known_hosts, "--ssh-port", str(known.ssh.port)),
        *("--template", "101", *more),
    ]


def known_to_devices(inventory: Inventory) -> Inventory:
    """Without what no device tells: management controllers, and the policies of people."""
    policies = {"approvals": ApprovalPolicy(), "failback": FailbackPolicy(), "limits": Limits(), "timeouts": Timeouts()}
    sites = tuple(
        site.model_copy(update={"nodes": tuple(node.model_copy(update={"bmc": None}) for node in site.nodes)})
        for site in inventory.sites
    )
    return inventory.model_copy(update={**policies, "sites": sites})


@pytest.mark.parametrize("example", ["lab", "metro"])
def test_a_cluster_that_is_built_is_written_as_its_example_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str
):
    """Nodes, sites, arrays, pod, LUNs, storage, guests, HA: all is read, and `quorate check` takes it."""
    site = Site(inventory_file(tmp_path, "written", example))
    site.rebuild()
    monkeypatch.chdir(tmp_path)
    list_of(tmp_path / "allowed_signers", Person("ben"), Person("cleo"))

    assert run(words(site)) == 0

    site.stop()
    written = tmp_path / "new.yaml"
    assert known_to_devices(load(written)) == known_to_devices(site.inventory)
    found = checked(written, offline=False)
    assert (found.complaints, found.notes) == ([], [])
    assert run(["check", "new.yaml"]) == 0


def test_it_says_what_it_has_written_and_what_comes_next(lab: Site, capsys: pytest.CaptureFixture[str]):
    """In two lines; each command of the second one can be typed as it stands."""
    list_of(Path("allowed_signers"), Person("ben"), Person("cleo"))
    assert run(words(lab)) == 0

    assert capsys.readouterr().out.splitlines() == [
        "new.yaml is written: cluster pxmx-cluster, 6 nodes, nothing left to fill in",
        "next: quorate check new.yaml, then quorate up -i new.yaml, then quorate plan deploy -i new.yaml",
    ]


def test_what_the_file_refers_to_and_is_not_there_is_said_at_once(lab: Site, capsys: pytest.CaptureFixture[str]):
    """The list of approvers, for whoever has made none yet."""
    assert run(words(lab, "--signers", "nobody")) == 0

    told = capsys.readouterr().out.splitlines()
    assert told[0] == "new.yaml is written: cluster pxmx-cluster, 6 nodes, 1 thing to put in place"
    assert re.match(r"  line \d+: approvals.allowed_signers: nobody does not exist here; .* NAME namespaces=", told[1])


def test_the_file_teaches_and_holds_no_secret(lab: Site):
    """Each part has a sentence, and what a reference leads to stands nowhere."""
    assert run(words(lab)) == 0

    text = Path("new.yaml").read_text()
    assert "# From: each host's preferred array.\n" in text
    assert f"#   pxmx01-01 {lab.inventory.nodes[0].address} " in text
    secrets = [path.read_text().strip() for path in Path("secrets").glob("*.token")]
    assert len(secrets) == 3
    assert [one for one in secrets if one in text] == []
    assert max(map(len, text.splitlines())) <= 120


def test_references_count_from_the_folder_of_the_file(lab: Site):
    """They are typed in another one."""
    Path("further").mkdir(exist_ok=True)
    assert run(words(lab, "--out", "further/new.yaml", "--force")) == 0

    written = load(Path("further/new.yaml"))
    assert (written.api.token, written.arrays[1].ca) == ("file:../secrets/pve.token", "../secrets/ca.pem")
    assert written.approvals.allowed_signers == "../allowed_signers"


def test_of_bare_arrays_the_rest_is_left_to_people_and_check_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Initiators come over SSH, sites by name and address; each open line says what is meant."""
    site = Site(inventory_file(tmp_path, "bare"))
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    assert run(words(site)) == 0

    site.stop()
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "new.yaml is written: cluster pxmx-cluster, 6 nodes, 9 values to fill in"
    assert told[-1] == "next: complete that, then quorate check new.yaml"
    assert run(["check", "new.yaml"]) == 1
    named = [re.sub(r"^ *line \d+: ", "", line) for line in capsys.readouterr().err.splitlines()]
    assert named[0] == "error: new.yaml has 9 errors"
    assert named[3:7] == [
        "pod.name: is not filled in yet: name of the stretched pod; choose one, and `quorate run deploy` makes it",
        "pod.volumes[0].name: is not filled in yet: name of its volume; choose one, and `quorate run deploy` makes it",
        "pod.volumes[0].size: is not filled in yet: size of the volume, for example 10TiB",
        "pod.volumes[0].luns.X90R3-SiteA: is not filled in yet: a LUN from 1 to 4095 that is free on X90R3-SiteA",
    ]


def preferring(text: str) -> str:
    """The example with an array that goes on where the two lose each other."""
    return re.sub(r"^( +)first: (\S+)\n", r"\g<0>\1failover_preference: \2\n", text, flags=re.MULTILINE)


def made_first(inventory: Inventory) -> Inventory:
    """No array tells on which of them a stretched pod was made: the draft says the first one."""
    pods = tuple(pod.model_copy(update={"first": inventory.arrays[0].name}) for pod in inventory.pods)
    return inventory.model_copy(update={"pods": pods})


@pytest.mark.parametrize(
    "change",
    [
        lambda text: preferring(over_fibre(text)),
        lambda text: over_nvme(two_pods(text)),
        lambda text: linked(third_place(text)),
        lambda text: two_pods(unequal(over_fibre(text))),
    ],
    ids=["fibre-and-a-preference", "nvme-and-two-pods", "third-place-and-links", "all-at-once"],
)
def test_a_cluster_of_another_shape_is_written_as_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]
):
    """Transports, several pods, a third place with nodes, links, the preferred array: the draft is the inventory."""
    site = Site(bent(inventory_file(tmp_path, "init-shape"), change))
    site.rebuild()
    monkeypatch.chdir(tmp_path)

    status = run(words(site))

    site.stop()
    assert status == 0
    written = load(Path("new.yaml"))
    assert known_to_devices(written) == known_to_devices(made_first(site.inventory))


def test_a_node_that_no_array_knows_is_told_as_one_of_a_third_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """With both options that say it otherwise."""
    site = Site(bent(inventory_file(tmp_path, "init-third"), third_place))
    site.rebuild()
    monkeypatch.chdir(tmp_path)

    status = run(words(site))

    site.stop()
    assert status == 0
    assert (
        "note: no array knows pxmx03-01, and the cluster has no quorum device: taken as nodes at a third place; give "
        "--witness where a quorum device is to come, --nodes-c where other nodes are there"
    ) in capsys.readouterr().err.splitlines()


def test_certificates_are_pinned_where_their_fingerprints_were_given(lab: Site, capsys: pytest.CaptureFixture[str]):
    """Each goes to the endpoint that shows it; without one, or an authority, nothing is read from there."""
    known = lab.inventory
    plain = [one for one in words(lab) if one not in ("--pve-ca", "--array-ca", str(known.api.ca))]
    shown = {place: certificate(trust).fingerprint for place, trust in endpoints(known) if place[-1] != "bmc"}
    pins = [word for one in shown.values() for word in ("--fingerprint", one)]

    assert run(plain) == 2
    assert one_line(capsys)[1].endswith(
        f"or pin it: quorate trust {known.nodes[0].address} shows it, and --fingerprint SHA256 takes it"
    )
    assert not Path("new.yaml").exists()
    assert run([*plain, *pins]) == 0

    written = load(Path("new.yaml"))
    assert {node.fingerprint for node in written.nodes} <= {(one,) for one in shown.values()}
    assert [array.fingerprint for array in written.arrays] == [(shown["arrays", 0],), (shown["arrays", 1],)]
    assert (written.api.ca, written.arrays[0].ca) == (None, None)
    assert checked(Path("new.yaml"), offline=False).notes == []


def test_a_host_that_ssh_does_not_reach_is_a_note_where_an_array_knows_it(
    lab: Site, capsys: pytest.CaptureFixture[str]
):
    """The initiator is the array's word then."""
    assert run(words(lab, "--ssh-port", "1")) == 0

    told = capsys.readouterr()
    assert load(Path("new.yaml")).nodes[0].iqn == lab.inventory.nodes[0].iqn
    assert "note: pxmx01-01 at" in told.err


def test_what_a_list_may_lack_is_a_note(lab: Site, capsys: pytest.CaptureFixture[str]):
    """A right that filters lists without a word, and links that leave one fault to part the cluster."""
    nodes = [{"name": node.name, "ring0_addr": node.address} for node in lab.inventory.nodes]
    for call, data in (("cluster/config/nodes", nodes), ("access/permissions", {"/": {"Sys.Audit": 1}})):
        body = json.dumps({"data": data})
        lab.world.faults.plant(Fault("^pve:", f"GET /{call}$", "garbage", times=None, message=body))
    assert run(words(lab)) == 0

    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")] == [
        "note: the token lacks VM.Audit at /vms: guests may be missing here; docs/prepare.md grants it",
        "note: the token lacks Datastore.Audit at /storage: storages may be missing here; docs/prepare.md grants it",
        "note: one corosync link only on pxmx01-01, pxmx01-02, pxmx01-03, pxmx02-01, pxmx02-02, pxmx02-03: "
        "Quorate expects a second one, on another network",
    ]


def one_line(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What is wrong, and what to do: nothing else may be said."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    return lines[0].removeprefix("error: "), lines[1].removeprefix("what to do: ")


@pytest.mark.parametrize(
    ("more", "what", "remedy"),
    [
        (
            ("--pve", "https://127.0.0.1:1"),
            r"--pve at 127\.0\.0\.1:1 does not answer: .*Connection refused",
            "see whether the address is right, and whether this machine reaches it",
        ),
        (
            ("--array-a", "127.0.0.1:1"),
            r"--array-a at 127\.0\.0\.1:1 does not answer: .*Connection refused",
            "see whether the address is right, and whether this machine reaches it",
        ),
        (
            ("--pve-token", "file:secrets/X90R3-SiteA.token"),
            "--pve: Proxmox VE: .*",
            "check --pve-token-id and what --pve-token refers to",
        ),
        (
            ("--array-b-token", "file:secrets/pve.token"),
            "--array-b: the array refuses the API token in file:secrets/pve.token",
            "renew it and try again",
        ),
        (
            ("--pve-token", "0b7f1c52-2f5e-4c5a-9f3a-5d9f0a6c1e55"),
            "--pve-token is no reference to a secret",
            "refer to it: --pve-token env:NAME or --pve-token file:PATH",
        ),
        (
            ("--array-a-token", "env:NO_SUCH_NAME"),
            "--array-a-token: env:NO_SUCH_NAME leads to no secret that can be read here",
            "put it there, or name its place",
        ),
        (
            ("--pve-token", "file:secrets/id_ed25519"),
            "--pve: secret file:secrets/id_ed25519: it is no token, which is one word of ASCII",
            "put the token alone there",
        ),
        (
            ("--array-a-token", "file:secrets/id_ed25519"),
            "--array-a: secret file:secrets/id_ed25519: it is no token, which is one word of ASCII",
            "put the token alone there",
        ),
        (("--pve-ca", "nowhere.pem"), "--pve-ca nowhere.pem is no file .*", "name the right file with --pve-ca"),
        (
            ("--array-ca", "secrets/pve.token"),
            "--array-ca secrets/pve.token holds no certificate",
            "name a file with certificates, as PEM",
        ),
        (
            ("--pod", "nowhere"),
            "--pod nowhere: X90R3-SiteA has no pod of that name",
            "stretched to both are: webb-ac-proxmox-01; leave --pod out where Quorate is to make the pod",
        ),
        (
            ("--volume", "nowhere"),
            "--volume nowhere: pod webb-ac-proxmox-01 has no such volume",
            "its volumes are: ac-pve-test-01",
        ),
        (
            ("--storage", "nowhere"),
            "--storage nowhere: pxmx-cluster has no such shared LVM storage",
            "it has: pxmx-ac-shared",
        ),
        (
            ("--nodes-a", "pxmx01-*,web"),
            r"--nodes-a pxmx01-\*,web: no node of pxmx-cluster is named web",
            "its nodes are pxmx01-01, .*, pxmx02-03",
        ),
        (
            ("--nodes-a", "pxmx01-01"),
            "--nodes-a pxmx01-01: 1 of 6 nodes, each site needs half of them",
            "name 3 nodes of pxmx01-01, .*",
        ),
        (
            ("--site-a", "witness"),
            "what was read and given makes no inventory: sites.0.*witness is reserved .*",
            "quorate init --help lists the options",
        ),
        (("--witness", "here/24"), "--witness here/24: an address has no prefix length .*", "correct --witness"),
        (("--pve-token-id", "root"), "--pve-token-id root: .*", "correct --pve-token-id"),
        (("--out", "nowhere/new.yaml"), "--out nowhere/new.yaml: there is no folder nowhere", "make the folder first"),
    ],
)
def test_what_cannot_be_used_is_one_error_and_no_file(
    lab: Site, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], what: str, remedy: str
):
    """It names the option, the value and what to do."""
    before = sorted(lab.path.parent.iterdir())
    assert run(words(lab, *more)) == 2

    said = one_line(capsys)
    assert re.fullmatch(what, said[0]), said
    assert re.fullmatch(remedy, said[1]), said
    assert sorted(lab.path.parent.iterdir()) == before


ALONE = [{"type": "node", "name": "pve1", "ip": "127.0.0.1", "online": 1}]
THREE = [{"type": "cluster", "name": "odd"}, *({"type": "node", "name": f"pve{n}", "ip": f"10.0.0.{n}"} for n in "123")]


@pytest.mark.parametrize(
    ("answer", "what", "remedy"),
    [
        (
            json.dumps({"data": ALONE}),
            "--pve .*: pve1 stands alone, a stretched cluster has two sites",
            "let the nodes form a cluster first: .*",
        ),
        (
            json.dumps({"data": THREE}),
            "--pve: cluster odd has 3 nodes, an odd number",
            "give both sites the same number of nodes: .*",
        ),
        (json.dumps({"data": [5]}), "--pve: what answers there cannot be read .*", "see whether .* right address"),
        ("<html>a proxy</html>", "--pve answers with something that cannot be read: .*", "see whether the address .*"),
    ],
)
def test_what_is_no_cluster_of_two_halves_is_told(
    lab: Site, capsys: pytest.CaptureFixture[str], answer: str, what: str, remedy: str
):
    """One node only, an odd number, something that is no Proxmox VE."""
    lab.world.faults.plant(Fault("^pve:", "GET /cluster/status", "garbage", times=None, message=answer))
    assert run(words(lab)) == 2

    said = one_line(capsys)
    assert re.fullmatch(what, said[0]), said
    assert re.fullmatch(remedy, said[1]), said
    assert not Path("new.yaml").exists()


def test_both_options_may_not_lead_to_one_array(lab: Site, capsys: pytest.CaptureFixture[str]):
    """Each site has its own."""
    one = lab.inventory.arrays[0]
    assert run(words(lab, "--array-b", one.address, "--array-b-token", one.api_token)) == 2

    assert one_line(capsys)[0] == "--array-a and --array-b are the same array, X90R3-SiteA"


def test_sites_that_nothing_tells_have_to_be_named(lab: Site, capsys: pytest.CaptureFixture[str]):
    """Where names and addresses leave it open, a wrong guess would hide the loss of a room."""
    node, a, b = ({"type": "node", "online": 1}, *(one.name for one in lab.inventory.arrays))
    rows = [
        {"type": "cluster", "name": "odd"},
        *({**node, "name": f"pve{n}", "ip": f"10.0.0.{n}"} for n in range(1, 5)),
    ]
    body = json.dumps({"data": rows})
    lab.world.faults.plant(Fault("^pve:", "GET /cluster/status", "garbage", times=None, message=body))
    assert run(words(lab)) == 2

    assert one_line(capsys) == (
        f"--nodes-a: which nodes stand beside {a} is not certain: neither names nor addresses of the nodes tell two "
        "halves",
        f"name them, for example --nodes-a pve1,pve2; the others stand beside {b}",
    )


def test_a_file_that_exists_is_written_over_with_force_alone(lab: Site, capsys: pytest.CaptureFixture[str]):
    """And stays as it was when the new one does not come to be."""
    Path("new.yaml").write_text("mine")
    assert run(words(lab)) == 2
    assert one_line(capsys) == (
        "--out new.yaml exists already",
        "name another file, or write over it with --force",
    )
    assert run(words(lab, "--force", "--site-a", "witness")) == 2
    assert Path("new.yaml").read_text() == "mine"
    assert run(words(lab, "--force")) == 0
    assert load(Path("new.yaml")).name == lab.inventory.name
    assert [path.name for path in Path.cwd().iterdir() if path.name.startswith(".new")] == []


def test_without_a_terminal_it_asks_nothing(capsys: pytest.CaptureFixture[str]):
    """It says what is missing, with an example."""
    assert run(["init", "--out", "new.yaml"]) == 2

    what, remedy = one_line(capsys)
    assert what == (
        "--pve, --pve-token, --array-a, --array-a-token, --array-b, --array-b-token not given: "
        "nothing can be read without"
    )
    assert remedy.endswith("at a terminal, quorate init alone asks")


def test_a_script_reads_what_is_left_open(lab: Site, capsys: pytest.CaptureFixture[str]):
    """With field, line and what is meant."""
    line = words(lab, "--json")
    place = line.index("--template")
    assert run([*line[:place], *line[place + 2 :]]) == 0

    told = json.loads(capsys.readouterr().out)
    assert [one["field"] for one in told["left_open"]] == ["guests[0].template", "guests[1].template"]
    assert told["file"] == "new.yaml"


def at_a_terminal(answers: list[str], words: list[str]) -> tuple[int, str]:
    """The command at a terminal of its own, with all answers typed ahead; its status, and what stood on the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "workers.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200", "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    os.close(theirs)
    os.write(ours, "".join(f"{one}\n" for one in answers).encode())
    said, _ = process.communicate(timeout=LONGEST)
    os.close(ours)
    return process.returncode, said.decode()


def test_at_a_terminal_it_asks_and_has_the_sites_confirmed(lab: Site):
    """A wrong answer is asked again; the sites are shown with the reason; an empty answer leaves a value open."""
    known = lab.inventory
    a, b = known.arrays
    node = f"{known.nodes[0].address}:{known.api.port}"
    answers = [
        *("10.0.0.1/24", node, "", "a-secret-in-clear", known.api.token, str(known.api.ca)),
        *(a.address, a.api_token, b.address, b.api_token, str(a.ca), "", known.ssh.key, known.ssh.known_hosts),
        *("n", "pxmx01-01", "pxmx01-*", "room one", "room-1", "", "99", "101", ""),
    ]
    status, said = at_a_terminal(answers, ["init", "--out", "new.yaml", "--ssh-port", str(known.ssh.port)])

    assert status == 0, said
    assert "an address has no prefix length and no path" in said
    again = f"quorate init --pve {node} --pve-token {known.api.token} --pve-token-id 'engine@pve!runbook' --pve-ca"
    assert f"the same without these questions: {again}" in said
    assert "--pve-token is no reference to a secret" in said
    assert f"beside {a.name}: pxmx01-01, pxmx01-02, pxmx01-03" in said
    assert "from each host's preferred array" in said
    assert "--nodes-a pxmx01-01: 1 of 6 nodes" in said
    assert "Input should be greater than or equal to 100" in said
    written = load(Path("new.yaml"))
    assert [guest.template for guest in written.guests] == [101, 101]
    assert written.device == known.device
    assert [site.name for site in written.sites] == ["room-1", "site-b"]
    assert [site.nodes for site in written.sites] == [site.nodes for site in known_to_devices(known).sites]


def test_at_a_terminal_a_certificate_is_pinned_after_a_yes(lab: Site):
    """It is shown first, with why it is not recognised; a node that is declined keeps none, and a note says so."""
    known = lab.inventory
    shown = {place: certificate(trust).fingerprint for place, trust in endpoints(known) if place[-1] != "bmc"}
    plain = [one for one in words(lab) if one not in ("--pve-ca", "--array-ca", str(known.api.ca))]
    at = plain.index("--pve")
    answers = [f"{known.nodes[0].address}:{known.api.port}", *("", "", ""), *("y",) * 7, "n", "y"]

    status, said = at_a_terminal(answers, [*plain[:at], *plain[at + 2 :]])

    assert status == 0, said
    written = load(Path("new.yaml"))
    *accepted, declined = written.nodes
    assert declined.fingerprint == ()
    assert [array.fingerprint for array in written.arrays] == [(shown["arrays", 0],), (shown["arrays", 1],)]
    assert {one for node in accepted for one in node.fingerprint} < set(shown.values())
    first = accepted[0].fingerprint[0]
    before, _, after = said.partition(f"Pin --pve to {first}? [y/N]: ")
    assert f"--pve at {known.nodes[0].address}:{known.api.port}\n  SHA-256    {first}\n  made for   " in before
    assert "✗ its certificate is not signed by a known CA (unable to get local issuer certificate)" in before
    assert f"Pin {declined.name} to " in after
    assert (
        f"note: {declined.name} at {declined.address}: its certificate is not signed by a known CA (unable to get "
        "local issuer certificate); quorate trust shows it, and pins it after a yes"
    ) in after


def test_at_a_terminal_what_is_to_be_built_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Names, size and LUNs of what is not there yet; what stands in brackets is taken with Enter."""
    site = Site(inventory_file(tmp_path, "chosen"))
    monkeypatch.chdir(tmp_path)
    known = site.inventory
    a, b = known.arrays
    answers = [
        *(f"{known.nodes[0].address}:{known.api.port}", "", known.api.token, str(known.api.ca)),
        *(a.address, a.api_token, b.address, b.api_token, f"~/{a.ca}", f"qdevice={known.device}"),
        *(known.ssh.key, known.ssh.known_hosts, "y", "", ""),
        *("", "hosts-b", "no_good", known.pod.name, known.pod.volume.name, "10 TB", "10TiB", "", "252", "", ""),
    ]
    monkeypatch.setenv("HOME", str(tmp_path))
    status, said = at_a_terminal(answers, ["init", "--out", "new.yaml", "--ssh-port", str(known.ssh.port)])
    site.stop()

    assert status == 0, said
    written = load(tmp_path / "new.yaml")
    assert [array.host_group for array in written.arrays] == [known.name, "hosts-b"]
    assert (written.pod.name, written.pod.volume.size) == (known.pod.name, known.pod.volume.size)
    assert written.pod.volume.luns == {a.name: 1, b.name: 252}
    assert (written.storage.id, written.storage.vg) == (f"{known.name}-shared", f"{known.name}-vg")
    assert written.witness == known.witness
    assert written.arrays[0].ca == str(tmp_path / str(a.ca))
    assert "a Purity name has 1 to 63 letters" in said
    assert "unit 'TB' is unknown" in said


ASKED = [
    *(("^pve:", f"GET /{path}$") for path in (
        "cluster/config/nodes", "cluster/config/qdevice", "cluster/ha/resources", "cluster/resources", "storage",
        "access/permissions", "nodes/[^/]+/qemu/300/config",
    )),
    *(("X90R3-SiteA", f"GET /{path}$") for path in ("pods", "volumes", "hosts", "connections", "arrays")),
]  # fmt: skip
NONSENSE = ['{"data": [5]}', '{"data": null}', '{"items": [{}]}', '{"data": [{}]}']


@pytest.mark.parametrize(("service", "call"), ASKED, ids=[call for _, call in ASKED])
def test_nonsense_from_a_device_is_an_error_of_its_option_and_never_a_bug(
    lab: Site, capsys: pytest.CaptureFixture[str], service: str, call: str
):
    """Whichever question it answers with it: nothing is written from half an answer."""
    for body in NONSENSE:
        fault = Fault(service, call, "garbage", times=None, message=body)
        lab.world.faults.plant(fault)
        status = run(words(lab))
        lab.world.faults.lift(fault)
        assert fault.met, "it was never asked"
        assert status == 2, f"{body}: {capsys.readouterr()}"
        assert re.match("--(pve|array-a)\\b", one_line(capsys)[0])
        assert not Path("new.yaml").exists()


def test_a_file_that_has_come_into_being_meanwhile_stays(tmp_path: Path):
    """Another command has written it while this one was reading."""
    path = tmp_path / "new.yaml"
    with pytest.raises(Unusable, match=r"new\.yaml exists already"):
        write(path, "ours", force=False, check=lambda _: path.write_text("theirs"))

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("new.yaml", "theirs")]
