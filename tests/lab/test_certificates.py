"""The certificates that the twin's servers show: made to be trusted, or as machines are delivered."""

import hashlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from proxmoxer import ProxmoxAPI

from lab.physics import jump
from lab.purity.views.settings import certificates
from lab.scenery import beside
from lab.serving.credentials import host_of, password_file, port_of
from lab.world import World
from tests.lab.stage import INVENTORY
from tests.twin import TwinThread, inventory_file


@pytest.fixture(scope="module", params=["made", "delivered"])
def twin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    """One of each style; its scenery says which."""
    path = inventory_file(tmp_path_factory.mktemp(request.param), request.param)
    beside(path).write_text(f"certificates: {request.param}\n")
    one = TwinThread(path)
    yield one
    one.stop()


def style(twin: TwinThread) -> str:
    return beside(twin.path).read_text().split()[1]


def trusted(twin: TwinThread) -> str:
    return str(twin.path.parent / str(twin.inventory.api.ca))


def shown(twin: TwinThread, address: str, port: int, *, named: bool) -> bytes | str:
    """The certificate that a server shows, or why a client with the bundle refuses it."""
    context = ssl.create_default_context(cafile=trusted(twin))
    context.check_hostname = named
    with socket.create_connection((address, port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address) as connection:
                return connection.getpeercert(binary_form=True) or b""
        except ssl.SSLCertVerificationError as error:
            return error.verify_message


def sha256(certificate: bytes | str) -> str:
    assert isinstance(certificate, bytes), certificate
    text = hashlib.sha256(certificate).hexdigest().upper()
    return ":".join(text[at : at + 2] for at in range(0, 64, 2))


def test_a_node_tells_the_fingerprint_of_what_it_shows(twin: TwinThread):
    """In every list that names it, for each node; its own name and address are in it."""
    known = twin.inventory
    place = password_file(known, twin.path.parent)
    assert place is not None
    root = ProxmoxAPI(known.nodes[0].address, user="root@pam", password=place.read_text(), verify_ssl=trusted(twin))

    told = {row["node"]: row["ssl_fingerprint"] for row in root.nodes.get()}
    assert told == {node.name: sha256(shown(twin, node.address, known.api.port, named=True)) for node in known.nodes}
    assert {row["name"]: row["pve_fp"] for row in root.cluster.config.join.get()["nodelist"]} == told
    (own,) = root.nodes(known.nodes[1].name).certificates.info.get()
    assert own["fingerprint"] == told[known.nodes[1].name]


@pytest.mark.parametrize("what", ["array", "management controller"])
def test_what_has_signed_its_own_certificate_is_not_called_by_its_name(twin: TwinThread, what: str):
    """As delivered: a client that trusts the certificate still refuses the name."""
    known = twin.inventory
    bmc = known.nodes[0].bmc
    assert bmc is not None
    url = known.arrays[0].address if what == "array" else bmc.address
    address, port = host_of(url), port_of(url)

    if style(twin) == "made":
        assert isinstance(shown(twin, address, port, named=True), bytes)
        return
    assert shown(twin, address, port, named=True) == (f"IP address mismatch, certificate is not valid for '{address}'.")
    assert isinstance(shown(twin, address, port, named=False), bytes)


def test_whom_nobody_trusts_is_refused(twin: TwinThread):
    """The check itself."""
    first, port = twin.inventory.nodes[0].address, twin.inventory.api.port
    refused = pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer")
    with socket.create_connection((first, port), timeout=10) as plain, refused:
        ssl.create_default_context().wrap_socket(plain, server_hostname=first)


def test_an_arrays_own_certificate_is_as_old_as_the_array():
    """It does not become younger at midnight."""

    async def story() -> list[tuple[int, int]]:
        world = World(INVENTORY, clock=jump.clock())
        array = next(iter(world.arrays.values()))
        told = []
        for _ in range(2):
            (shown,) = certificates(array)
            told.append((shown["valid_from"], shown["valid_to"]))
            await world.clock.sleep(86_400)
        return told

    first, later = jump.run(story())

    assert first == later
