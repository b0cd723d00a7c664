r"""What is kept of each answer that is text: whole lines of these forms. Any other line is dropped, and counted.

A group's name says what stands there, as a field's does in `fields`; outside of groups only what is written here can
stand, and what ``\d`` and its like match.
"""

import re

_N = r"(0x[0-9a-f]+|\d+)"
_IDS = r"\d+(, \d+)*"
# An address with the tag of its portal group: ``10.22.1.1:3260,1``.
_PORTAL = r"(?P<endpoint>\S+:\d+),(-?\d+)"
# multipath's settings whose values are numbers and words. Those with files, arguments and prefixes of people's own are
# not among them (multipath.conf(5)).
_NAMES = """
    verbosity polling_interval max_polling_interval reassign_maps path_selector path_grouping_policy prio path_checker
    features failback rr_min_io rr_min_io_rq rr_weight max_fds queue_without_daemon user_friendly_names fast_io_fail_tmo
    dev_loss_tmo eh_deadline retain_attached_hw_handler detect_prio detect_checker detect_pgpolicy
    detect_pgpolicy_use_tpg find_multipaths find_multipaths_timeout enable_foreign recheck_wwid no_path_retry
    hardware_handler checker_timeout flush_on_last_del marginal_path_err_sample_time marginal_path_err_rate_threshold
    marginal_path_err_recheck_gap_time marginal_path_double_failed_time marginal_pathgroups san_path_err_threshold
    san_path_err_forget_rate san_path_err_recovery_time delay_watch_checks delay_wait_checks skip_kpartx force_sync
    strict_timing deferred_remove uxsock_timeout max_sectors_kb ghost_delay uid_attribute all_tg_pt auto_resize
    remove_retries retrigger_tries retrigger_delay missing_uev_wait_timeout log_checker_err allow_usb_devices vendor
    product product_blacklist revision devnode
"""
_SETTINGS = "|".join(_NAMES.split())


def _forms(*forms: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(form, re.ASCII) for form in forms)


TEXTS: dict[str, tuple[re.Pattern[str], ...]] = {
    "packages": _forms(r"[a-z][a-z0-9+.-]+ [a-z-]+( [\w.+~:-]+)?"),
    "units": _forms(r"Id=[a-z-]+\.(service|socket)", r"(ActiveState|UnitFileState)=[a-z-]*", ""),
    "boot-units": _forms(r"Id=[a-z-]+\.(service|socket)", r"UnitFileState=[a-z-]*", ""),
    "wwids": _forms(r"# (Multipath wwids, Version : 1\.0|Valid WWIDs:)", "#", r"/(?P<wwid>.+)/"),
    "initiator": _forms(r"InitiatorName=(?P<iqn>\S+)"),
    "votes": _forms(
        r"(Cluster|Quorum|Votequorum|Membership) information", "-+", "",
        r"Name: +(?P<cluster>\S+)",
        rf"(Config Version|Nodes|Node ID|Expected votes|Highest expected|Total votes): +{_N}",
        r"Transport: +(knet|udpu|udp)", r"Secure auth: +(on|off)", r"Quorum provider: +corosync_votequorum",
        r"Quorate: +(Yes|No)", r"Quorum: +\d+ +(Activity blocked)?", r"Flags: +((Quorate|Qdevice|2Node|WaitForAll|"
        r"LastManStanding|AutoTieBreaker|AllowDowngrade) *)*", r" *Nodeid +Votes +(Qdevice +)?Name",
        rf" *{_N} +\d+ +((A|NA|NR)(,N?V,N?MW)? +)?(?P<address_or_name>(?!Qdevice)[\w.:-]+)( \(local\))?",
        rf" *{_N} +\d+ +Qdevice( \(votes \d+\))?",
    ),
    "links": _forms(
        r"Local node ID \d+, transport (knet|udpu|udp)", r"LINK ID \d udp", r"\taddr\t= (?P<address_or_name>\S+)",
        r"\tstatus:", r"\t\tnodeid: +\d+:\t(connected|disconnected|localhost)",
    ),
    "device": _forms(
        r"Qdevice(-net)? information", "-+", "", r"Model:\t+Net", rf"Node ID:\t+{_N}",
        r"Configuration version:\t+\d+", "Configured node list:", r" +\d+\tNode ID = \d+",
        rf"Membership node list:\t+{_IDS}", r"Cluster name:\t+(?P<cluster>\S+)",
        r"QNetd host:\t+(?P<endpoint>\S+)", r"Algorithm:\t+[A-Za-z0-9 -]+", r"Tie-breaker:\t+Node with \w+ node ID",
        r"State:\t+(Connected|Connecting|Disconnected)( \([a-z ]+\))?",
    ),
    "sessions": _forms(
        r"Target: (?P<iqn>\S+) \((non-)?flash\)", rf"\tCurrent Portal: {_PORTAL}", rf"\tPersistent Portal: {_PORTAL}",
        r"\t\t\*+", r"\t\tInterface:", r"\t\tIface Name: (?P<iface>\S+)", r"\t\tIface Transport: [a-z0-9]+",
        r"\t\tIface Initiatorname: (?P<iqn>\S+)", r"\t\tSID: \d+", r"\t\tiSCSI Connection State: [A-Z_ ]+",
        r"\t\tiSCSI Session State: [A-Z_ ]+", r"\t\tInternal iscsid Session State: [A-Z_ ]+",
    ),
    "fabric": _forms(
        r"/sys/class/fc_host/host\d+/port_name:(?P<wwn_hex>0x[0-9a-f]{16})",
        r"/sys/class/fc_host/host\d+/port_state:[A-Za-z ]+",
        r"/sys/class/fc_remote_ports/rport-\d+:\d+-\d+/port_name:(?P<wwn_hex>0x[0-9a-f]{16})",
        r"/sys/class/fc_remote_ports/rport-\d+:\d+-\d+/port_state:[A-Za-z ]+",
        r"/sys/class/fc_remote_ports/rport-\d+:\d+-\d+/scsi_target_id:-?\d+",
    ),
    "hostnqn": _forms(r"(?P<nqn>nqn\.\S+)"),
    "nvme-multipath": _forms("[YN]"),
    "nvme-unit": _forms(r"Id=[a-z-]+\.service", r"UnitFileState=[a-z-]*", ""),
    "discovery": _forms(
        r"--transport=tcp --traddr=(?P<address>\S+) --trsvcid=\d+( --ctrl-loss-tmo=-?\d+)?( --fast_io_fail_tmo=-?\d+)?",
        r"--transport=tcp --traddr=(?P<address>\S+) --trsvcid=\d+ --host-iface=(?P<iface>\S+)( --ctrl-loss-tmo=-?\d+)?"
        r"( --fast_io_fail_tmo=-?\d+)?",
    ),
    "records": _forms(
        r"# BEGIN RECORD [\d.-]+", "# END RECORD", r"node\.name = (?P<iqn>\S+)", r"node\.tpgt = \d+",
        r"node\.startup = (automatic|manual|onboot)", r"node\.leading_login = (Yes|No)",
        r"iface\.iscsi_ifacename = (?P<iface>\S+)", r"iface\.transport_name = [a-z0-9]+",
        r"node\.session\.auth\.authmethod = (None|CHAP)", r"node\.session\.timeo\.replacement_timeout = -?\d+",
        r"node\.conn\[0\]\.address = (?P<address_or_name>\S+)", r"node\.conn\[0\]\.port = \d+",
        r"node\.conn\[0\]\.startup = (automatic|manual)", r"node\.conn\[0\]\.timeo\.login_timeout = \d+",
    ),
    "maps": _forms(
        r"(?P<map>\S+) \((?P<wwid>[^()]+)\) dm-\d+ (?P<product>[A-Za-z0-9 _.,+-]+)",
        r"(?P<wwid>\S+) dm-\d+ (?P<product>[A-Za-z0-9 _.,+-]+)",
        r"size=[\d.]+[KMGTP]? features='[a-z0-9_ ]*' hwhandler='[a-z0-9 ]*' wp=(rw|ro)( undef)?",
        r"[|` ]-[+|]?-? policy='[a-z-]+ \d+' prio=-?\d+ status=[a-z]+",
        r"[|` ]-\+- policy='[a-z-]+ \d+' prio=-?\d+ status=[a-z]+",
        r"[|` ]+- [\d#]+:[\d#]+:[\d#]+:[\d#]+ +(sd[a-z]+|nvme\w+|-) +[\d:-]+ +[a-z_/ ]+",
    ),
    "multipath-config": _forms(
        r"(defaults|blacklist|blacklist_exceptions|devices|overrides|multipaths) \{",
        r"\t(device|multipath|protocol) \{",
        r"\t?\}", r"\t+wwid \"?(?P<wwid>[^\"]+)\"?", r"\t+alias \"?(?P<map>[^\"]+)\"?",
        # files and prefixes as multipath-tools has them; one of people's own is dropped
        r"\t(alias_prefix \"mpath\"|prio_args \"\"|disable_changed_wwids \"ignored\"|(wwids|bindings|prkeys)_file "
        r"\"/etc/multipath/(wwids|bindings|prkeys)\"|property \"\(SCSI_IDENT_\|ID_WWN\)\")",
        rf"\t+({_SETTINGS}) (-?\d+|\"[\w .:/!|()\[\]^$*+?-]*\")",
    ),
    "totem": _forms(r"runtime\.config\.totem\.(token|consensus) \(u32\) = \d+"),
    "release": _forms(r"(ID|VERSION_ID|VERSION|PRETTY_NAME|VERSION_CODENAME|NAME)=\"?[\w ()./-]+\"?"),
    "witness-clients": _forms(
        r'Cluster "(?P<neighbour>[^"]+)":',
        r" +Algorithm:\t+[A-Za-z0-9 ()-]+", r" +Tie-breaker:\t+Node with \w+ node ID",
        r" +Node ID \d+:", r" +Configuration version:\t+\d+", rf" +Configured node list:\t+{_IDS}",
        rf" +Membership node list:\t+{_IDS}", r" +Vote:\t+[A-Za-z ]+ \((ACK|NACK|No change|Wait for reply|Ask later)\)",
    ),
}  # fmt: skip
