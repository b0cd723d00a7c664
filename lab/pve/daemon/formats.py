"""PVE's named formats, as far as a runbook's parameters use them: a pattern and the text of a refusal."""

import re

_NODE = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DNS = rf"({_NODE}\.)*{_NODE}"
_CONTENT = ("images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none")

# Format -> (pattern, refusal); `{}` in the refusal is the value (source: PVE::JSONSchema and the modules beside it).
_FORMATS = {
    "pve-vmid": (r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "pve-node": (_NODE, "value does not look like a valid node name"),
    "pve-configid": (r"(?i:[a-z][a-z0-9_-]+)", "invalid configuration ID '{}'"),
    "pve-storage-id": (r"(?i:[a-z][a-z0-9._-]*[a-z0-9])", "storage ID '{}' contains illegal characters"),
    "pve-storage-content": ("|".join(_CONTENT), "invalid content type '{}'"),
    "pve-storage-vgname": (r"(?i:[a-z0-9][a-z0-9._+-]*)", "lvm volume group name '{}' contains illegal characters"),
    "pve-storage-path": (r"/.*", "value does not look like a valid absolute path"),
    "pve-ha-resource-id": (r"(vm|ct):[^\s,;]+", "value does not look like a valid ha resource id"),
    "pve-ha-resource-or-vm-id": (
        r"(vm|ct):\S+|[1-9][0-9]{2,8}",
        "value does not look like a valid ha resource id or VM id",
    ),
    "pve-ha-node": (rf"{_NODE}(:\d+)?", "value does not look like a valid ha group node"),
    "dns-name": (_DNS, "value does not look like a valid DNS name"),
    "ip": (r"[0-9a-fA-F.:]+", "value does not look like a valid IP address"),
    "mac-addr": (r"(?i:[0-9a-f][02468ace](:[0-9a-f]{2}){5})", "value does not look like a valid unicast MAC address"),
}


class Wrong(Exception):
    """A value is not what the schema asks for; the text is PVE's."""


def split_list(text: str, *, separators: str = ",; ") -> list[str]:
    """PVE splits lists inside a string at comma, semicolon or blank."""
    return [item for item in re.split(f"[{re.escape(separators)}]+", text.strip()) if item]


def check_format(text: str, name: str) -> None:
    """Wrong when the text is not of that format; unknown formats pass."""
    if name.endswith("-list"):
        name = name.removesuffix("-list")
        items = split_list(text)
    else:
        items = [text]
    if name not in _FORMATS:
        return
    pattern, refusal = _FORMATS[name]
    for item in items:
        if not re.fullmatch(pattern, item):
            raise Wrong(refusal.format(item))
