"""The other way into an array: a client whose signature is known, by the vendor's SDK."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pypureclient import flasharray
from pypureclient.configuration import Configuration
from pypureclient.exceptions import PureError
from pypureclient.flasharray.FA_2_44.models import ApiClientPatch, ApiClientPost

from lab.purity.rules.apiclients import ApiClient
from tests.twin import TwinThread

# the vendor's Client is a function that makes one of many classes
Client = Any

ARRAY = "X90R3-SiteA"


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A private key's file, and the public one; the SDK leaves its token in the folder where it runs."""
    monkeypatch.chdir(tmp_path)
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path / "client.pem"
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, public.decode()


def configuration(twin: TwinThread) -> Configuration:
    found: Any = Configuration(ssl_ca_cert=str(twin.path.parent / "secrets" / "ca.pem"))
    found.verify_ssl = True
    return found


def by_token(twin: TwinThread) -> Client:
    address = twin.inventory.array(ARRAY).address
    token = (twin.path.parent / "secrets" / f"{ARRAY}.token").read_text().strip()
    return flasharray.Client(address, version="2.44", api_token=token, configuration=configuration(twin), timeout=10)


def by_signature(twin: TwinThread, known: ApiClient, key: Path) -> Client:
    return flasharray.Client(
        twin.inventory.array(ARRAY).address, version="2.44", username="pureuser", client_id=known.id,
        key_id=known.key_id, issuer=known.issuer, private_key_file=str(key), configuration=configuration(twin),
        timeout=10,
    )  # fmt: skip


def registered(twin: TwinThread, public: str, role: str = "array_admin") -> ApiClient:
    """A client that was registered and enabled over the API."""
    admin = by_token(twin)
    body = ApiClientPost(max_role=role, public_key=public, issuer="quorate")
    made = admin.post_api_clients(names=["quorate"], api_clients=body)
    assert made.status_code == 200, made.errors
    assert admin.patch_api_clients(names=["quorate"], api_clients=ApiClientPatch(enabled=True)).status_code == 200
    return twin.world.arrays[ARRAY].api_clients[0]


def test_a_signature_opens_the_array(twin: TwinThread, key: tuple[Path, str]):
    """Reads and writes with the role it was given."""
    client = by_signature(twin, registered(twin, key[1]), key[0])

    assert [array.name for array in client.get_arrays().items] == [ARRAY]
    assert client.post_pods(names=["p"], pod={}).status_code == 200


def test_a_role_goes_as_far_as_it_goes(twin: TwinThread, key: tuple[Path, str]):
    """Read-only is refused with 403."""
    client = by_signature(twin, registered(twin, key[1], "readonly"), key[0])

    assert client.post_pods(names=["p"], pod={}).status_code == 403


def test_a_disabled_client_stays_outside(twin: TwinThread, key: tuple[Path, str]):
    """So does one whose signature is someone else's; neither learns why."""
    known = registered(twin, key[1])
    known.enabled = False

    with pytest.raises(PureError):
        by_signature(twin, known, key[0])
