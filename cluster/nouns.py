"""The words an inventory is written in: what a name, a secret's reference or an initiator may look like.

A field that is not known is refused, and nothing can be changed once it is read.
"""

import operator
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

# Purity: 1 to 63 letters, digits and dashes, first and last alphanumeric (reference: flasharray-rest §7).
_PURITY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# Proxmox VE's own formats: pve-storage-id, pve-storage-vgname, pve-node, dns-name (PVE::JSONSchema).
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_STORAGE = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")
_NODE = re.compile(_LABEL)
_DNS = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
# Names that only we use.
_OWN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# What `pvecm create` takes at most (pve-apidoc: POST /cluster/config).
_CLUSTER_LENGTH = 15
_REFERENCE = r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+"
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.[^\s:]+(?::\S+)?")
# 16 hexadecimal digits, as Purity (52:4A:…), Linux (0x524a…), udev (naa.524a…) and switches (52-4a-…) write them.
_WWN = re.compile(r"(?:0[xX]|naa\.)?[0-9A-Fa-f]{2}(?:[:-]?[0-9A-Fa-f]{2}){7}")
# What nvme-cli makes, and what NVMe allows besides: 223 bytes at most (NVM Express Base 2.0, 4.5).
_NQN = re.compile(r"nqn\.\d{4}-\d{2}\.[^\s:]+:\S+")
_NQN_LENGTH = 223
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _secret_reference(value: object) -> str:
    """The value never appears in the message: it may be the secret itself."""
    if not isinstance(value, str) or not re.fullmatch(_REFERENCE, value):
        raise ValueError("a secret must not stand here in clear: refer to it as env:NAME or file:PATH")
    return value


@dataclass(frozen=True)
class _Like:
    """A name of that pattern, of at most so many letters; `otherwise` says what a name has to be, also to editors."""

    pattern: re.Pattern[str]
    otherwise: str
    longest: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        longest = {} if self.longest is None else {"maxLength": self.longest}
        return handler(schema) | spelt(self.pattern.pattern, self.otherwise) | longest

    def _checked(self, value: str) -> str:
        if not self.pattern.fullmatch(value) or (self.longest is not None and len(value) > self.longest):
            raise ValueError(self.otherwise)
        return value


def spelt(pattern: str, meaning: str, *examples: str) -> dict[str, Any]:
    """What a JSON Schema says of a text: the pattern of the whole, and what it means."""
    shown = {"examples": list(examples)} if examples else {}
    return {"type": "string", "pattern": f"^(?:{pattern})$", "description": meaning, **shown}


def _iqn(value: str) -> str:
    if not _IQN.fullmatch(value):
        raise ValueError("an initiator name looks like iqn.1993-08.org.debian:01:a1b2c3d4")
    return value.lower()


def wwn(value: str) -> str:
    """A WWN in the one spelling in which all are compared, Purity's: ``21:00:00:24:FF:01:02:03``."""
    digits = re.sub(r"^(?:0[xX]|naa\.)|[:-]", "", value.strip()).upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _wwn(value: object) -> str:
    # YAML reads 0x21…, and colons between numbers below 60, as a number
    if not isinstance(value, str):
        raise ValueError('write a WWN in quotation marks, or YAML takes it for a number: "21:00:00:24:ff:01:02:03"')
    if not _WWN.fullmatch(value.strip()):
        raise ValueError(
            "a WWN has 16 hexadecimal digits, as in /sys/class/fc_host/host*/port_name: 21:00:00:24:ff:01:02:03"
        )
    return wwn(value)


def _nqn(value: str) -> str:
    given, prefix = value.strip(), "nqn.2014-08.org.nvmexpress:uuid:"
    well = _NQN.fullmatch(given) and len(given) <= _NQN_LENGTH
    if not well or (given.startswith(prefix) and not re.fullmatch(_UUID, given.removeprefix(prefix).lower())):
        raise ValueError(f"a host's NQN looks like {prefix}4c4c4544-0031-5910-804b-b5c04f4e5132")
    return given.lower() if given.startswith(prefix) else given


def _fingerprints(value: object) -> object:
    """One or several, each as PVE writes it: ``AB:CD:…``."""
    return tuple(map(_fingerprint, value if isinstance(value, list | tuple) else [value]))


def _fingerprint(value: object) -> str:
    digits = str(value).strip().replace(":", "").upper()
    if not re.fullmatch(r"[0-9A-F]{64}", digits):
        counted = f"; {value!r} has {len(digits)}" if re.fullmatch(r"[0-9A-F]+", digits) else ""
        raise ValueError(
            f"the SHA-256 fingerprint of a certificate has 64 hexadecimal digits, with or without colons{counted}: "
            "`quorate trust HOST` shows it"
        )
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


SecretRef = Annotated[
    str,
    BeforeValidator(_secret_reference),
    WithJsonSchema(spelt(_REFERENCE, "where the secret is kept, never the secret itself", "env:NAME", "file:PATH")),
]
PurityName = Annotated[
    str,
    _Like(_PURITY_NAME, "a Purity name has 1 to 63 letters, digits or dashes and starts and ends with no dash"),
]
StorageId = Annotated[
    str,
    _Like(
        _STORAGE,
        "a storage id of Proxmox starts with a letter, ends with a letter or digit, and has letters, digits, "
        "'.', '-' or '_' between, two characters at least",
    ),
]
GroupName = Annotated[
    str,
    _Like(
        _GROUP,
        "a volume group of Proxmox starts and ends with a letter or digit and has letters, digits, "
        "'.', '-' or '_' between, two characters at least",
    ),
]
NodeName = Annotated[
    str,
    _Like(
        _NODE,
        "a Proxmox node is named by its short host name: 1 to 63 letters, digits or dashes, no dash at either "
        "end, no dots",
    ),
]
ClusterName = Annotated[
    str,
    _Like(
        _NODE,
        f"a Proxmox cluster's name has 1 to {_CLUSTER_LENGTH} letters, digits or dashes, and no dash at either end",
        longest=_CLUSTER_LENGTH,
    ),
]
DnsName = Annotated[
    str,
    _Like(_DNS, "a host name has letters, digits and dashes, and dots between its parts: web-01, web.example"),
]
OwnName = Annotated[
    str,
    _Like(_OWN, "a name starts and ends with a letter or digit; between, '.', '-' and '_' may stand as well"),
]
Iqn = Annotated[
    str,
    AfterValidator(_iqn),
    WithJsonSchema(spelt(_IQN.pattern, "the initiator name of the node, as in /etc/iscsi/initiatorname.iscsi")),
]
Wwn = Annotated[
    str,
    BeforeValidator(_wwn),
    WithJsonSchema(spelt(_WWN.pattern, "a WWPN of the node, as in /sys/class/fc_host/host*/port_name")),
]
Nqn = Annotated[
    str,
    AfterValidator(_nqn),
    WithJsonSchema(spelt(_NQN.pattern, "the NVMe name of the node, as in /etc/nvme/hostnqn") | {"maxLength": 223}),
]
# Pins of certificates. What nobody has set is no part of an inventory's JSON: digests that runs of earlier versions
# have noted stay true, and a worker that knows no such field takes it.
_PIN = spelt(r"\s*:?(?:[0-9A-Fa-f]:?){64}\s*", "the SHA-256 fingerprint of a certificate, which `quorate trust` shows")
Fingerprints = Annotated[
    tuple[str, ...],
    BeforeValidator(_fingerprints),
    Field(exclude_if=operator.not_),
    WithJsonSchema({"anyOf": [_PIN, {"type": "array", "items": _PIN}], "description": "one or several pins"}),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Lun = Annotated[int, Field(ge=1, le=4095)]
Vmid = Annotated[int, Field(ge=100, le=999_999_999)]


# The HA rule that keeps the guests at the sites, where a third place has nodes: those have no path to the pod.
KEPT_TO_SITES = "quorate-guests-at-sites"


class Value(BaseModel):
    """Something that cannot be changed once it is made."""

    model_config = ConfigDict(frozen=True)


class Noun(BaseModel):
    """A part of the inventory: frozen, and a field that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
