"""What multipathd goes by on a node, and whether that would do harm to the pod's volume. Pure.

The settings are those of `multipathd show config`: what is built in, merged with /etc/multipath.conf and conf.d. Which
of them counts for a device is multipath's own order: `multipaths` of its WWID, `overrides`, `devices` that match its
vendor and product (the last one first), `defaults` (multipath.conf(5)).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from pydantic import Field

from cluster.nouns import Value
from cluster.units import seconds
from cluster.volumes import is_namespace

# What a volume of these arrays says of itself (INQUIRY), and how multipath calls the transport.
VENDOR, PRODUCT, PROTOCOL = "PURE", "FlashArray", "scsi:iscsi"


class Kind(Value):
    """How multipath knows a volume: vendor and product, transport, a device of that kind, and who tells priorities."""

    vendor: str = VENDOR
    product: str = PRODUCT
    protocol: str = PROTOCOL
    device: str = "sdx"
    rule: str = "^sd[a-z]"
    prio: str = "alua"

    @classmethod
    def of(cls, wwid: str | None) -> "Kind":
        """By its WWID; before there is one it counts as a SCSI disk."""
        if wwid is None or not is_namespace(wwid):
            return cls()
        # multipath-tools: what it calls a namespace whose paths the kernel does not join (discovery.c, hwtable.c)
        return cls(
            vendor="NVME",
            product="Pure Storage FlashArray",
            protocol="nvme:tcp",
            device="nvme1n1",
            rule="^nvme[0-9]",
            prio="ana",
        )


# A watchdog resets a node that HA has lost after 60 s (reference: pve-ha §3): I/O that waits longer than that outlives
# the decision where its guest runs.
LONGEST_QUEUE = timedelta(seconds=60)
# multipath.conf(5): the default of `polling_interval`.
POLLING = 5
WHERE = "/etc/multipath.conf"
RELOAD = "`multipathd reconfigure`"


class Rules(Value):
    """A blacklist or its exceptions: regular expressions by what they look at; devices as vendor and product."""

    wwid: tuple[str, ...] = ()
    devnode: tuple[str, ...] = ()
    protocol: tuple[str, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()


class MultipathConfig(Value):
    """Sections of `multipathd show config`, with the settings as they are spelt there."""

    defaults: dict[str, str] = Field(default_factory=dict)
    overrides: dict[str, str] = Field(default_factory=dict)
    devices: tuple[dict[str, str], ...] = ()
    multipaths: tuple[dict[str, str], ...] = ()
    blacklist: Rules = Rules()
    exceptions: Rules = Rules()

    def setting(self, name: str, wwid: str | None) -> tuple[str, str]:
        """What counts for a volume of these arrays, and the section that says so; both empty where nothing does."""
        for section, settings in self._order(wwid):
            if name in settings:
                return settings[name], section
        return "", ""

    def _order(self, wwid: str | None) -> Iterator[tuple[str, Mapping[str, str]]]:
        yield from (("multipaths", one) for one in reversed(self.multipaths) if wwid and one.get("wwid") == wwid)
        yield "overrides", self.overrides
        yield from (("devices", one) for one in reversed(self.devices) if _is_ours(one, Kind.of(wwid)))
        yield "defaults", self.defaults


def harmful(config: MultipathConfig, wwid: str | None = None) -> tuple[str, ...]:
    """Why nothing may be built on a node with these settings: a sentence each, with its remedy. Empty: nothing is.

    `wwid` is None while the volume is only planned: then what is said of single volumes is not judged.
    """
    return tuple(
        filter(
            None,
            (_queueing(config, wwid), _grouping(config, wwid), _priorities(config, wwid), blacklisted(config, wwid)),
        )
    )


def slow(config: MultipathConfig, wwid: str | None = None) -> tuple[str, ...]:
    """What is no harm, and makes a failover slower or keeps I/O on the far array: a sentence each."""
    found = []
    fast, _ = config.setting("fast_io_fail_tmo", wwid)
    if fast == "off":
        found.append(
            "fast_io_fail_tmo is off: I/O on a lost path waits for two minutes before another path takes it; "
            f"set `fast_io_fail_tmo 10` in {WHERE}"
        )
    back, section = config.setting("failback", wwid)
    if back in ("manual", "-1"):
        found.append(
            f"failback is manual ({section}): after a loss, I/O stays on the far array; "
            f"set `failback immediate` in {WHERE}"
        )
    return tuple(found)


def blacklisted(config: MultipathConfig, wwid: str | None) -> str:
    """Which rule hides the volume from multipath, and the remedy; empty when none does."""
    own = Kind.of(wwid)
    for kind, value, remedy in (
        ("devnode", own.device, f'devnode "{own.rule}"'),
        ("protocol", own.protocol, f'protocol "{own.protocol}"'),
        ("wwid", wwid or "", f'wwid "{wwid}"'),
    ):
        rules: tuple[str, ...] = getattr(config.blacklist, kind)
        excepted: tuple[str, ...] = getattr(config.exceptions, kind)
        rule = next((one for one in rules if value and _matches(one, value)), None)
        if rule is not None and not any(_matches(one, value) for one in excepted):
            return _hidden(f'{kind} "{rule}"', remedy)
    rule_of = next((one for one in config.blacklist.devices if _fits(*one, own)), None)
    if rule_of is not None and not any(_fits(*one, own) for one in config.exceptions.devices):
        return _hidden(
            f'device {{ vendor "{rule_of[0]}" product "{rule_of[1]}" }}',
            f'device {{ vendor "{own.vendor}" product "{own.product}" }}',
        )
    return ""


def _hidden(rule: str, exception: str) -> str:
    return (
        f"the blacklist of multipath hides the volume ({rule}); "
        f"add `{exception}` to blacklist_exceptions in {WHERE}, then {RELOAD}"
    )


def _queueing(config: MultipathConfig, wwid: str | None) -> str:
    """Whether I/O waits for ever, or longer than HA waits, once every path is lost."""
    retry, section = config.setting("no_path_retry", wwid)
    if not retry:  # then the features decide (multipath.conf(5), `features`)
        features, section = config.setting("features", wwid)
        retry = "queue" if "queue_if_no_path" in features else "fail"
        said = f'features "{features}"'
    else:
        said = f"no_path_retry {retry}"
    remedy = f"set `no_path_retry fail` for vendor {Kind.of(wwid).vendor} in {WHERE} ({section}), then {RELOAD}"
    if retry == "queue":
        return (
            f"multipath queues I/O for ever once every path is lost ({said}): "
            f"a node without storage hangs and cannot be cleared; {remedy}"
        )
    polls, _ = config.setting("polling_interval", None)
    waits = timedelta(seconds=int(retry) * int(polls or POLLING)) if retry.isdigit() else timedelta()
    if waits > LONGEST_QUEUE:
        return (
            f"multipath queues I/O for {seconds(waits)} once every path is lost ({said}), longer than HA's watchdog "
            f"waits ({seconds(LONGEST_QUEUE)}); {remedy}"
        )
    return ""


def _grouping(config: MultipathConfig, wwid: str | None) -> str:
    policy, section = config.setting("path_grouping_policy", wwid)
    # from multipath-tools 0.9.6 on priorities that are detected bring their groups along (multipath.conf(5))
    detected = is_namespace(wwid or "") and config.setting("detect_pgpolicy", wwid)[0] == "yes"
    if policy == "group_by_prio" or detected:
        return ""
    return (
        f"path_grouping_policy is {policy or 'not set'}, not group_by_prio: I/O would take the far array as often as "
        f"the near one; set `path_grouping_policy group_by_prio` for vendor {Kind.of(wwid).vendor} in {WHERE} "
        f"({section or 'devices'}), then {RELOAD}"
    )


def _priorities(config: MultipathConfig, wwid: str | None) -> str:
    prio, section = config.setting("prio", wwid)
    detects, _ = config.setting("detect_prio", wwid)
    own = Kind.of(wwid)
    if prio in (own.prio, "sysfs") or detects != "no":
        return ""
    return (
        f"prio is {prio or 'not set'} and detect_prio is no: multipath does not ask the arrays which paths are "
        f"optimized; set `prio {own.prio}` for vendor {own.vendor} in {WHERE} ({section or 'devices'}), then {RELOAD}"
    )


def _is_ours(device: Mapping[str, str], own: Kind) -> bool:
    return _fits(device.get("vendor", ""), device.get("product", ""), own)


def _fits(vendor: str, product: str, own: Kind) -> bool:
    """Empty fits anything (multipath.conf(5), `device`)."""
    return (not vendor or _matches(vendor, own.vendor)) and (not product or _matches(product, own.product))


CONF = "/etc/multipath/conf.d/quorate.conf"


def settings_of(*wwids: str) -> str:
    """What the deployment writes where it may: the settings of the volumes, which come before all others."""
    exceptions = "".join(f'    wwid "{wwid}"\n' for wwid in wwids)
    return f"""# The pod's volume alone; written by Quorate (paths.multipath: set).
blacklist_exceptions {{
{exceptions}}}
multipaths {{
{"".join(map(_settings, wwids))}}}
"""


def _settings(wwid: str) -> str:
    return f"""    multipath {{
        wwid "{wwid}"
        path_grouping_policy group_by_prio
        prio {Kind.of(wwid).prio}
        failback immediate
        no_path_retry fail
    }}
"""


def followed_for(config: MultipathConfig, wwid: str | None) -> bool:
    """Whether multipathd has read settings of that one volume."""
    return any(one.get("wwid") == wwid for one in config.multipaths)


def _matches(rule: str, value: str) -> bool:
    """POSIX extended regular expressions, anywhere in the text; ``!`` before one turns it round."""
    inverse, pattern = rule.startswith("!"), rule.removeprefix("!")
    try:
        found = re.search(pattern, value) is not None
    except re.error:
        return False  # multipath leaves out an expression that it cannot read, and says so in its log
    return found is not inverse
