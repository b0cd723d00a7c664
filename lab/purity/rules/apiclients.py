"""API clients: who may exchange a signed token for access, without a password (reference: flasharray-rest §2)."""

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from lab.purity.errors import Refused, exists, missing
from lab.purity.rules.names import find
from lab.purity.rules.sessions import Session, begin

if TYPE_CHECKING:
    from lab.purity.models import Array

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT = "urn:ietf:params:oauth:token-type:jwt"
ROLES = ("array_admin", "storage_admin", "readonly")
DAY_MS = 86_400_000
# What the endpoint says of every token that is not good: it does not tell a caller why.
INVALID = {"error": "invalid_grant", "error_description": "The provided token is invalid."}


@dataclass(eq=False)
class ApiClient:
    """One that is registered; disabled until somebody enables it, as on an array."""

    name: str
    id: str
    key_id: str
    issuer: str
    public_key: str
    max_role: str
    ttl_ms: int
    enabled: bool = False


def named(array: "Array", name: str) -> ApiClient:
    """The client of that name."""
    client = find(array.api_clients, name)
    if client is None:
        raise missing("API client", name)
    return client


def create(array: "Array", name: str, body: dict[str, Any]) -> ApiClient:
    """Register a client with its public key (PEM)."""
    if find(array.api_clients, name):
        raise exists("API client", name)
    role = body.get("max_role") or next((one["name"] for one in body.get("access_policies") or []), "readonly")
    if role not in ROLES:
        raise Refused("Invalid role.", role)
    key = str(body.get("public_key", ""))
    if "PUBLIC KEY" not in key:
        raise Refused("Invalid public key.", name)
    ttl = int(body.get("access_token_ttl_in_ms") or DAY_MS)
    client = ApiClient(name, str(uuid.uuid4()), str(uuid.uuid4()), body.get("issuer") or name, key, role, ttl)
    array.api_clients.append(client)
    array.record("api_client.create", name, role=role)
    return client


def change(array: "Array", name: str, body: dict[str, Any]) -> ApiClient:
    """Enable or disable it."""
    client = named(array, name)
    enabled = bool(body.get("enabled", client.enabled))
    if enabled != client.enabled:
        client.enabled = enabled
        array.record("api_client.update", name, enabled=enabled)
    return client


def delete(array: "Array", name: str) -> None:
    """Forget it."""
    array.api_clients.remove(named(array, name))
    array.record("api_client.delete", name)


def items(array: "Array") -> list[dict[str, Any]]:
    """The clients as the API shows them."""
    return [
        {
            "name": client.name,
            "id": client.id,
            "key_id": client.key_id,
            "issuer": client.issuer,
            "public_key": client.public_key,
            "max_role": client.max_role,
            "access_policies": [{"name": client.max_role, "resource_type": "admin-access-policies"}],
            "access_token_ttl_in_ms": client.ttl_ms,
            "enabled": client.enabled,
        }
        for client in array.api_clients
    ]


def exchange(array: "Array", form: dict[str, str], location: str) -> tuple[int, dict[str, Any]]:
    """Status and body for a token that a client has signed: access for a while, or a refusal that gives no reason."""
    if form.get("grant_type") != GRANT or form.get("subject_token_type") != SUBJECT:
        return 400, {"error": "unsupported_grant_type"}
    token = form.get("subject_token", "")
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        client = next((one for one in array.api_clients if one.key_id == key_id and one.enabled), None)
        if client is None:
            return 401, INVALID
        claims = jwt.decode(token, client.public_key, algorithms=["RS256"], audience=client.id, issuer=client.issuer)
    except jwt.PyJWTError:
        return 401, INVALID
    if claims.get("exp", 0) < time.time():  # signed by a real clock, which lab time is not
        return 401, INVALID
    session = begin(array, client.max_role, location, lasts=client.ttl_ms / 1000)
    return 200, _granted(session, client)


def _granted(session: Session, client: ApiClient) -> dict[str, Any]:
    return {
        "access_token": session.token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": client.ttl_ms // 1000,
    }
