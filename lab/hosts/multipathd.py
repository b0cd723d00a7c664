"""multipathd's configuration on a node: what is built in, merged with the files that somebody has written.

Texts and merging are those of multipath-tools 0.9.4, `multipath -t` (captured): a user's `device` of the same vendor
and product takes the place of the one that is built in, with what it says itself before what that said; 0 is shown as
``fail``. Of the thousand lines of devices those of a few vendors are told.
"""

import re
from typing import TYPE_CHECKING

from lab.hosts.shell import Call, Output, Registry

if TYPE_CHECKING:
    from lab.physics.world import Host

MULTIPATHD = Registry()

_DEFAULTS = {
    "verbosity": "2", "polling_interval": "5", "max_polling_interval": "20", "reassign_maps": "no",
    "path_selector": "service-time 0", "path_grouping_policy": "failover", "uid_attribute": "ID_SERIAL",
    "prio": "const", "prio_args": "", "features": "0", "path_checker": "tur", "alias_prefix": "mpath",
    "failback": "manual", "rr_min_io": "1000", "max_fds": "max", "queue_without_daemon": "no",
    "user_friendly_names": "no", "fast_io_fail_tmo": "5", "wwids_file": "/etc/multipath/wwids",
    "retain_attached_hw_handler": "yes", "detect_prio": "yes", "detect_checker": "yes", "find_multipaths": "strict",
    "enable_foreign": "NONE", "recheck_wwid": "no",
}  # fmt: skip
_NUMBERS = ("verbosity", "polling_interval", "max_polling_interval", "rr_min_io", "fast_io_fail_tmo")
_BLACKLIST = [("devnode", "!^(sd[a-z]|dasd[a-z]|nvme[0-9])")]
_BLACKLISTED_DEVICES = [{"vendor": "EMC", "product": "LUNZ"}, {"vendor": "DELL", "product": "Universal Xport"}]
_DEVICES = [
    {"vendor": "NVME", "product": ".*", "uid_attribute": "ID_WWN", "path_checker": "none"},
    {"vendor": "IET", "product": "VIRTUAL-DISK", "path_grouping_policy": "failover", "no_path_retry": "12"},
    {
        "vendor": "PURE", "product": "FlashArray", "path_grouping_policy": "group_by_prio",
        "hardware_handler": "1 alua", "prio": "alua", "failback": "immediate", "fast_io_fail_tmo": "10",
    },
    {"vendor": "NVME", "product": "Pure Storage FlashArray", "no_path_retry": "10"},
]  # fmt: skip

Pairs = list[tuple[str, str]]
_SECTION = re.compile(r"(?P<name>\w+)\s*\{")
_SETTING = re.compile(r'(?P<name>\w+)\s+"?(?P<value>[^"\n]*)"?')


class Config:
    """The effective configuration of one node."""

    def __init__(self, host: "Host") -> None:
        self.defaults = dict(_DEFAULTS) | ({"user_friendly_names": "yes"} if host.friendly_names else {})
        self.rules: dict[str, Pairs] = {"blacklist": list(_BLACKLIST), "blacklist_exceptions": []}
        self.rule_devices: dict[str, list[dict[str, str]]] = {
            "blacklist": list(_BLACKLISTED_DEVICES), "blacklist_exceptions": [],
        }  # fmt: skip
        self.devices = [dict(one) for one in _DEVICES]
        self.overrides: dict[str, str] = {}
        self.multipaths = [{"wwid": wwid, "alias": alias} for wwid, alias in host.aliases.items()]
        self._read(host.settings)

    def _read(self, text: str) -> None:
        path: list[str] = []
        inner: dict[str, str] = {}
        for line in filter(None, (one.partition("#")[0].strip() for one in text.splitlines())):
            if opens := _SECTION.fullmatch(line):
                path.append(opens["name"])
                inner = {}
            elif line == "}":
                if len(path) > 1:
                    self._block(path[0], inner)
                path.pop()
            elif setting := _SETTING.fullmatch(line):
                name, value = setting["name"], setting["value"].strip()
                value = {"0": "fail"}.get(value, value) if name == "no_path_retry" else value
                if len(path) > 1:
                    inner[name] = value
                else:
                    self._top(path[0], name, value)

    def _top(self, section: str, name: str, value: str) -> None:
        if section in self.rules:
            self.rules[section].append((name, value))
        elif section in ("defaults", "overrides"):
            (self.defaults if section == "defaults" else self.overrides)[name] = value

    def _block(self, section: str, block: dict[str, str]) -> None:
        if section in self.rule_devices:
            self.rule_devices[section].append(block)
            return
        key = ("wwid",) if section == "multipaths" else ("vendor", "product")
        known = self.multipaths if section == "multipaths" else self.devices
        same = next((one for one in known if all(one.get(name) == block.get(name) for name in key)), {})
        known[:] = [*(one for one in known if one is not same), same | block]

    def effective(self, name: str, wwid: str) -> str:
        """What counts for a FlashArray's volume of that WWID."""
        ours = [one for one in self.multipaths if one.get("wwid") == wwid]
        vendor, product = ("NVME", "Pure Storage FlashArray") if wwid.startswith("eui.") else ("PURE", "FlashArray")
        kinds = [one for one in self.devices if re.search(one["vendor"], vendor) and re.search(one["product"], product)]
        for settings in (*ours, self.overrides, *reversed(kinds), self.defaults):
            if name in settings:
                return settings[name]
        return ""

    def hides(self, wwid: str) -> bool:
        """Whether the blacklist leaves a FlashArray's volume out."""
        return any(
            self._hides(kind, value)
            for kind, value in (("devnode", "nvme1n1" if wwid.startswith("eui.") else "sda"), ("wwid", wwid))
        )

    def _hides(self, kind: str, value: str) -> bool:
        matched = {
            section: any(
                bool(re.search(rule.removeprefix("!"), value)) is not rule.startswith("!")
                for name, rule in rules
                if name == kind
            )
            for section, rules in self.rules.items()
        }
        return matched["blacklist"] and not matched["blacklist_exceptions"]

    def text(self) -> str:
        """As `multipathd show config` prints it."""
        text = f"defaults {{\n{_lines(self.defaults, 1)}}}\n"
        for section, rules in self.rules.items():
            text += f"{section} {{\n{''.join(_line(name, value, 1) for name, value in rules)}"
            text += "".join(_block(one, "device") for one in self.rule_devices[section]) + "}\n"
        text += "devices {\n" + "".join(_block(one, "device") for one in self.devices) + "}\n"
        text += f"overrides {{\n{_lines(self.overrides, 1)}}}\n"
        if self.multipaths:
            text += "multipaths {\n" + "".join(_block(one, "multipath") for one in self.multipaths) + "}\n"
        return text


def _line(name: str, value: str, depth: int) -> str:
    shown = value if name in _NUMBERS and value.isdigit() else f'"{value}"'
    return "\t" * depth + f"{name} {shown}\n"


def _lines(settings: dict[str, str], depth: int) -> str:
    return "".join(_line(name, value, depth) for name, value in settings.items())


def _block(settings: dict[str, str], name: str) -> str:
    return f"\t{name} {{\n{_lines(settings, 2)}\t}}\n"


@MULTIPATHD.program("multipathd")
async def multipathd(call: Call) -> Output:
    """`multipathd show config [local]` and `multipathd reconfigure`: they speak with the daemon."""
    host = call.host
    if "multipathd" in host.stopped:
        return Output(stderr="error -1 connecting to multipathd\n", status=1)
    if call.words in (("show", "config"), ("show", "config", "local")):
        return Output(Config(host).text())
    if call.words[:1] == ("reconfigure",):
        before, host.settings, host.unmapped = host.settings, host.multipath_files(), False
        if before != host.settings:
            call.world.record(host.name, "multipathd.reconfigure", host.name)
        return Output("ok\n")
    return Output("fail\n", "the twin plays only `show config` and `reconfigure`\n", 1)
