"""The words an inventory is written in: what a name, a secret's reference or an initiator may look like.

A field that is not known is refused, and nothing can be changed once it is read.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

# Purity: 1 to 63 letters, digits and dashes, first and last alphanumeric (reference: flasharray-rest §7).
_PURITY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PVE_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]")
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.[^\s:]+(?::\S+)?")


def _secret_reference(value: object) -> str:
    """The value never appears in the message: it may be the secret itself."""
    if not isinstance(value, str) or not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+", value):
        raise ValueError("a secret must not stand here in clear: refer to it as env:NAME or file:PATH")
    return value


def _purity_name(value: str) -> str:
    if not _PURITY_NAME.fullmatch(value):
        raise ValueError("a Purity name has 1 to 63 letters, digits or dashes and starts and ends with no dash")
    return value


def _pve_id(value: str) -> str:
    if not _PVE_ID.fullmatch(value):
        raise ValueError("a Proxmox id starts with a letter and goes on with letters, digits, '.', '-' or '_'")
    return value


def _iqn(value: str) -> str:
    if not _IQN.fullmatch(value):
        raise ValueError("an initiator name looks like iqn.1993-08.org.debian:01:a1b2c3d4")
    return value.lower()


SecretRef = Annotated[str, BeforeValidator(_secret_reference)]
PurityName = Annotated[str, AfterValidator(_purity_name)]
PveId = Annotated[str, AfterValidator(_pve_id)]
Iqn = Annotated[str, AfterValidator(_iqn)]
Port = Annotated[int, Field(ge=1, le=65535)]
Lun = Annotated[int, Field(ge=1, le=4095)]
Vmid = Annotated[int, Field(ge=100, le=999_999_999)]


class Value(BaseModel):
    """Something that cannot be changed once it is made."""

    model_config = ConfigDict(frozen=True)


class Noun(BaseModel):
    """A part of the inventory: frozen, and a field that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
