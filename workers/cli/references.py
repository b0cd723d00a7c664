"""Options that refer to a secret: ``env:NAME`` or ``file:PATH``."""

from pydantic import TypeAdapter, ValidationError

from activities.clients.secrets import Secrets
from activities.errors import NotFound
from cluster.nouns import SecretRef
from workers.errors import Unusable

_REFERENCE: TypeAdapter[str] = TypeAdapter(SecretRef)


def secret_of(option: str, reference: str, secrets: Secrets) -> str:
    """The secret that an option refers to; Unusable where there is none.

    What is no reference is not repeated: it may be the secret itself.
    """
    try:
        _REFERENCE.validate_python(reference)
    except ValidationError:
        raise Unusable(
            f"{option} is no reference to a secret", f"refer to it: {option} env:NAME or {option} file:PATH"
        ) from None
    try:
        secret = secrets.read(reference)
    except (NotFound, ValueError):  # no such place, or no text there
        secret = ""
    if not secret:
        raise Unusable(
            f"{option}: {reference} leads to no secret that can be read here", "put it there, or name its place"
        )
    return secret
