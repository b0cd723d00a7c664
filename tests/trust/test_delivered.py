"""Certificates as they are delivered, met by the engine's own clients over the real SDKs.

Each shape is shown by an array, a node and a management controller, to clients that have it pinned, that have its
signer named, or that know nothing of it.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.clients.proxmox import PveApi
from activities.clients.purity import FlashArray
from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.clients.tls import fingerprint, refused
from activities.errors import NotFound, Unauthorized
from cluster.trust import of_node
from lab.serving.certificates import Kind
from lab.serving.delivered import SHAPES, Identity, Shape, identity
from tests.twin import TwinThread, inventory_file

ARRAY, NODE = "X90R3-SiteA", "pxmx01-01"
KINDS: tuple[Kind, ...] = ("array", "node", "controller")
Trusted = dict[str, Any]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    """One whose servers are given other certificates while it runs."""
    one = TwinThread(inventory_file(tmp_path_factory.mktemp("trust"), "trust"))
    yield one
    one.stop()


class Met:
    """One server of the twin with a certificate of that shape, and the engine's client of it."""

    def __init__(self, twin: TwinThread, kind: Kind, shape: Shape, folder: Path) -> None:
        self.twin, self.kind, self.shape = twin, kind, shape
        node = twin.inventory.node(NODE)
        assert node.bmc is not None
        self.name = ARRAY if kind == "array" else NODE
        at = {"array": twin.inventory.array(ARRAY).address, "node": node.address, "controller": node.bmc.address}[kind]
        self.host = at.partition(":")[0]
        self.shown: Identity = identity(shape, self.name, self.host)
        self.signer = folder / f"{kind}-{shape}.pem"
        self.signer.write_bytes(self.shown.signer)
        self.pin = fingerprint(self.shown.certificate)
        twin.show(kind, self.name, self.shown)

    def ask(self, **trusted: Any) -> str:
        """Something that only who is let in is told."""
        known, secrets = self.twin.inventory, Secrets(self.twin.path.parent)
        if self.kind == "array":
            array = known.array(ARRAY).model_copy(update={"ca": None} | trusted)
            return str(FlashArray(array, secrets).array()["name"])
        node = known.node(NODE)
        if self.kind == "node":
            api = known.api.model_copy(update={"ca": None} | trusted)
            return str(PveApi(known.model_copy(update={"api": api}), secrets).get("version", node=NODE)["release"])
        assert node.bmc is not None
        return str(Controllers(secrets).power(node.bmc.model_copy(update={"ca": None} | trusted)))

    def refusal(self, **trusted: Any) -> str:
        """Why the client did not speak to it, without what differs from run to run."""
        with pytest.raises(Unauthorized) as caught:
            self.ask(**trusted)
        said = caught.value.message.replace(self.host, "ADDRESS").replace(str(self.signer), "signer.pem")
        return said.replace("ADDRESS:8443", "ADDRESS").removeprefix(f"{self.name} at ")


Meet = Callable[[Kind, Shape], Met]


@pytest.fixture
def meet(twin: TwinThread, tmp_path: Path) -> Meet:
    return lambda kind, shape: Met(twin, kind, shape, tmp_path)


TOLD = {"array": ARRAY, "node": "9.1", "controller": "True"}
CA = {
    "array": "put the right CA into arrays.ca",
    "node": "put the cluster's own CA into api.ca: /etc/pve/pve-root-ca.pem of any node",
    "controller": "put the right CA into bmc.ca",
}
NAME = {
    "array": "arrays.server_name",
    "node": "server_name of the node",
    "controller": "bmc.server_name",
}
PIN = {"array": "arrays.fingerprint", "node": "fingerprint of the node", "controller": "bmc.fingerprint"}
RENEW = {
    "array": "renew it on the array",
    "node": "renew it on that node (pvecm updatecerts --force, then systemctl restart pveproxy)",
    "controller": "renew it on the management controller",
}
LENIENT = {
    None: "put its signer's PEM file into api.ca, where that rule does not count, or ",
    "ca.pem": "",
}
# What OpenSSL says of whom it does not know.
UNKNOWN = {"own": "self-signed certificate", "old": "unable to get local issuer certificate"}
OTHER_NAME = "IP address mismatch, certificate is not valid for 'ADDRESS'"
# The names that are in them, besides addresses.
MADE_FOR: dict[Shape, str] = {"own-by-name": "{name}", "another-host": "another.example"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_pinned_connects_whatever_it_is(meet: Meet, kind: Kind, shape: Shape):
    """Signed by whomever, for whatever name, ended or not."""
    met = meet(kind, shape)

    assert met.ask(fingerprint=(met.pin,)) == TOLD[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["own-by-address", "old-authority"])
def test_whose_signer_is_named_connects(meet: Meet, kind: Kind, shape: Shape):
    """An authority without keyUsage, too, on each Python: the owner has named it."""
    met = meet(kind, shape)

    assert met.ask(ca=str(met.signer)) == TOLD[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["own-by-name", "another-host"])
def test_whose_signer_and_name_are_named_connects(meet: Meet, kind: Kind, shape: Shape):
    """The address is another one; what it is made for stands in the inventory."""
    met = meet(kind, shape)
    name = MADE_FOR[shape].format(name=met.name)

    assert met.ask(ca=str(met.signer), server_name=name) == TOLD[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_nobody_named_is_refused_for_its_signer(meet: Meet, kind: Kind, shape: Shape):
    """With both ways on."""
    said = meet(kind, shape).refusal()

    why = UNKNOWN["own" if shape.startswith("own") else "old"]
    assert said == (
        f"ADDRESS: its certificate is not signed by a known CA ({why}); {CA[kind]}, or pin it: quorate trust ADDRESS"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["own-by-name", "own-without-names", "another-host"])
def test_a_certificate_for_another_name_is_refused_for_that(meet: Meet, kind: Kind, shape: Shape):
    """The signer is right, and no other signer would help."""
    met = meet(kind, shape)

    assert met.refusal(ca=str(met.signer)) == (
        f"ADDRESS: its certificate is made for another name ({OTHER_NAME}); put the name that it is made for into "
        f"{NAME[kind]}, or pin it: quorate trust ADDRESS"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_has_ended_is_refused_for_that(meet: Meet, kind: Kind):
    """The device renews it, and this machine's clock may be the one that is wrong."""
    met = meet(kind, "expired")

    assert met.refusal(ca=str(met.signer)) == (
        f"ADDRESS: its certificate is out of date (certificate has expired); {RENEW[kind]}, see whether this machine's "
        "clock is right, or pin it: quorate trust ADDRESS"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_another_certificate_than_the_pinned_one_is_refused(meet: Meet, kind: Kind, shape: Shape):
    """Both fingerprints are told; a signer that is named as well changes nothing."""
    met = meet(kind, shape)
    other = ":".join(["AB"] * 32)

    assert met.refusal(ca=str(met.signer), fingerprint=(other,)) == (
        f"ADDRESS: its certificate is not the pinned one: it shows {met.pin}, and {PIN[kind]} has {other}; if it was "
        "renewed, compare with what the device itself says, then pin it: quorate trust ADDRESS; if it was not, another "
        "machine answers there: find out which before you go on"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_several_pins_is_enough(meet: Meet, kind: Kind):
    """As during a renewal, when the old and the new one are written down."""
    met = meet(kind, "own-by-name")

    assert met.ask(fingerprint=(":".join(["AB"] * 32), met.pin)) == TOLD[kind]


def test_an_array_that_shows_another_certificate_later_is_refused(twin: TwinThread, meet: Meet):
    """The pin is looked at on each connection of the vendor's SDK, not on the first one alone."""
    met = meet("array", "own-without-names")
    array = twin.inventory.array(ARRAY).model_copy(update={"ca": None, "fingerprint": (met.pin,)})
    client = FlashArray(array, Secrets(twin.path.parent))
    assert client.array()["name"] == ARRAY

    twin.show("array", ARRAY, identity("own-without-names", ARRAY, met.host))
    client._client._api_client.rest_client.pool_manager.clear()

    with pytest.raises(Unauthorized, match="its certificate is not the pinned one"):
        client.array()


def test_a_node_with_a_pin_of_its_own_is_held_to_that(twin: TwinThread, meet: Meet):
    """What `api.fingerprint` allows for all nodes does not count for it."""
    met = meet("node", "old-authority")
    known = twin.inventory
    sites = [site.model_copy(update={"nodes": tuple(
        node.model_copy(update={"fingerprint": (":".join(["AB"] * 32),)}) if node.name == NODE else node
        for node in site.nodes)}) for site in known.sites]  # fmt: skip
    api = known.api.model_copy(update={"fingerprint": (met.pin,)})
    pinned = known.model_copy(update={"api": api, "sites": tuple(sites)})

    with pytest.raises(Unauthorized, match="not the pinned one"):
        PveApi(pinned, Secrets(twin.path.parent)).get("version", node=NODE)


@pytest.mark.parametrize("ca", [None, "ca.pem"])
def test_a_rule_of_openssl_is_told_as_one(twin: TwinThread, meet: Meet, ca: str | None):
    """Python 3.13 is strict with signers that nobody has named, an older one as told here; both say the same."""
    met = meet("node", "old-authority")
    strict = ssl.create_default_context(cafile=str(met.signer))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    trust = of_node(twin.inventory, NODE).model_copy(update={"ca": ca})

    refusing = pytest.raises(ssl.SSLCertVerificationError)
    with socket.create_connection((met.host, trust.port), timeout=10) as plain, refusing as caught:
        strict.wrap_socket(plain, server_hostname=met.host)
    word = refused(trust, caught.value)

    assert word is not None
    assert word.message.replace(met.host, "ADDRESS") == (
        f"{NODE} at ADDRESS: its certificate breaks a rule of this machine's OpenSSL ({caught.value.verify_message}); "
        f"{LENIENT[ca]}pin it: quorate trust ADDRESS"
    )
    assert caught.value.verify_message in (
        "CA cert does not include key usage extension",
        "Missing Authority Key Identifier",
    )


def test_a_signer_that_is_no_certificate_is_named(meet: Meet):
    """By field and file, before anything is asked."""
    met = meet("array", "expired")
    met.signer.write_text("no certificate")

    with pytest.raises(NotFound, match=f"{ARRAY}: arrays.ca {met.signer} holds no certificate; it has to be a PEM"):
        met.ask(ca=str(met.signer))


def test_what_is_no_matter_of_certificates_is_left_to_others(twin: TwinThread):
    """A connection that breaks while it is secured is silence."""
    assert refused(of_node(twin.inventory, NODE), ssl.SSLEOFError("EOF occurred")) is None


def test_a_signer_that_is_mended_is_read_at_the_next_call(twin: TwinThread, meet: Meet):
    """Nobody has to start the worker again."""
    met = meet("array", "own-by-address")
    right = met.signer.read_bytes()
    met.signer.write_bytes(identity("old-authority", ARRAY, met.host).signer)
    array = twin.inventory.array(ARRAY).model_copy(update={"ca": str(met.signer)})
    client = FlashArray(array, Secrets(twin.path.parent))
    with pytest.raises(Unauthorized, match="is not signed by"):
        client.array()

    met.signer.write_bytes(right)

    assert client.array()["name"] == ARRAY
