"""What multipathd goes by, judged: multipath's own text in, sentences out."""

from pathlib import Path

import pytest

from activities.errors import Unreachable
from activities.parsing.multipath_config import parse_config
from cluster.multipathing import MultipathConfig, Rules, blacklisted, harmful, settings_of, slow

WWID = "3624a9370730d187406c1477500a7aa92"
CAPTURES = Path(__file__).parents[1] / "captures"
BUILT_IN = (CAPTURES / "multipathd-config.txt").read_text()
OF_A_USER = (CAPTURES / "multipathd-config-set.txt").read_text()


def said(text: str, wwid: str | None = WWID) -> list[str]:
    return list(harmful(parse_config(text), wwid))


def test_what_is_built_in_does_no_harm():
    """multipath-tools as Debian delivers it: groups by priority, asks the arrays, fails without a path."""
    config = parse_config(BUILT_IN)

    assert harmful(config, WWID) == slow(config, WWID) == ()
    assert config.setting("path_grouping_policy", WWID) == ("group_by_prio", "devices")
    assert config.setting("no_path_retry", WWID) == ("", "")


def test_what_a_user_says_counts_before_what_is_built_in():
    """A volume's own settings, overrides, devices from the last on, defaults: multipath's order."""
    config = parse_config(OF_A_USER)

    assert config.setting("alias", WWID) == ("pure-ac", "multipaths")
    assert config.setting("no_path_retry", WWID) == ("fail", "overrides")
    assert config.setting("features", WWID) == ("1 queue_if_no_path", "devices")
    assert config.setting("user_friendly_names", WWID) == ("yes", "defaults")
    assert said(OF_A_USER) == [
        "path_grouping_policy is multibus, not group_by_prio: I/O would take the far array as often as the near one; "
        "set `path_grouping_policy group_by_prio` for vendor PURE in /etc/multipath.conf (devices), "
        "then `multipathd reconfigure`"
    ]


QUEUES = (
    "multipath queues I/O for ever once every path is lost ({}): a node without storage hangs and cannot be cleared; "
    "set `no_path_retry fail` for vendor PURE in /etc/multipath.conf ({}), then `multipathd reconfigure`"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BUILT_IN.replace("overrides {", 'overrides {\n\tno_path_retry "queue"'),
         QUEUES.format("no_path_retry queue", "overrides")),
        (BUILT_IN.replace("defaults {", 'defaults {\n\tno_path_retry "queue"'),
         QUEUES.format("no_path_retry queue", "defaults")),
        (BUILT_IN.replace("overrides {", 'overrides {\n\tfeatures "1 queue_if_no_path"'),
         QUEUES.format('features "1 queue_if_no_path"', "overrides")),
        (BUILT_IN.replace("overrides {", "overrides {\n\tno_path_retry 30"),
         "multipath queues I/O for 2 min 30 s once every path is lost (no_path_retry 30), longer than HA's watchdog "
         "waits (1 min 0 s); set `no_path_retry fail` for vendor PURE in /etc/multipath.conf (overrides), "
         "then `multipathd reconfigure`"),
        (BUILT_IN.replace("overrides {", 'overrides {\n\tprio "const"\n\tdetect_prio "no"'),
         "prio is const and detect_prio is no: multipath does not ask the arrays which paths are optimized; "
         "set `prio alua` for vendor PURE in /etc/multipath.conf (overrides), then `multipathd reconfigure`"),
        (BUILT_IN.replace("blacklist {", 'blacklist {\n\twwid ".*"'),
         'the blacklist of multipath hides the volume (wwid ".*"); '
         f'add `wwid "{WWID}"` to blacklist_exceptions in /etc/multipath.conf, then `multipathd reconfigure`'),
        (BUILT_IN.replace("blacklist {", 'blacklist {\n\tdevnode "^sd[a-z]+"'),
         'the blacklist of multipath hides the volume (devnode "^sd[a-z]+"); '
         'add `devnode "^sd[a-z]"` to blacklist_exceptions in /etc/multipath.conf, then `multipathd reconfigure`'),
        (BUILT_IN.replace("blacklist {", 'blacklist {\n\tdevice {\n\t\tvendor "PURE"\n\t}'),
         'the blacklist of multipath hides the volume (device { vendor "PURE" product "" }); '
         'add `device { vendor "PURE" product "FlashArray" }` to blacklist_exceptions in /etc/multipath.conf, '
         "then `multipathd reconfigure`"),
    ],
    ids=["overrides", "defaults", "features", "long", "prio", "wwid", "devnode", "device"],
)  # fmt: skip
def test_each_harm_has_its_sentence_with_the_remedy(text: str, sentence: str):
    """One trouble, one sentence, and nothing else."""
    assert said(text) == [sentence]


@pytest.mark.parametrize("retry", ["fail", "0", "12"])
def test_to_fail_or_to_wait_for_a_minute_is_no_harm(retry: str):
    """Twelve looks of five seconds are not longer than a watchdog waits."""
    assert said(BUILT_IN.replace("overrides {", f'overrides {{\n\tno_path_retry "{retry}"')) == []


def test_an_exception_counts_for_its_own_kind_alone():
    """A WWID that is excepted is not excepted from a rule about device nodes."""
    wwids = Rules(wwid=(".*",)), Rules(wwid=("3624a9370",))
    nodes = Rules(devnode=("^sd",)), Rules(wwid=("3624a9370",))

    assert blacklisted(MultipathConfig(blacklist=wwids[0], exceptions=wwids[1]), WWID) == ""
    assert "devnode" in blacklisted(MultipathConfig(blacklist=nodes[0], exceptions=nodes[1]), WWID)


def test_a_rule_that_is_turned_round_hides_what_it_does_not_name():
    """The one that is built in leaves sd, dasd and nvme alone."""
    assert blacklisted(MultipathConfig(blacklist=Rules(devnode=("!^(sd[a-z]|dasd[a-z]|nvme[0-9])",))), WWID) == ""
    assert "!^nvme" in blacklisted(MultipathConfig(blacklist=Rules(devnode=("!^nvme",))), WWID)


def test_of_a_volume_that_is_only_planned_no_wwid_is_judged():
    """What hides every WWID is told as soon as there is one."""
    text = BUILT_IN.replace("blacklist {", 'blacklist {\n\twwid ".*"')

    assert said(text, None) == []


def test_what_makes_a_failover_slow_is_told_apart():
    """No harm: the run goes on."""
    config = parse_config(BUILT_IN.replace("overrides {", 'overrides {\n\tfast_io_fail_tmo "off"\n\tfailback "manual"'))

    assert harmful(config, WWID) == ()
    assert slow(config, WWID) == (
        "fast_io_fail_tmo is off: I/O on a lost path waits for two minutes before another path takes it; "
        "set `fast_io_fail_tmo 10` in /etc/multipath.conf",
        "failback is manual (overrides): after a loss, I/O stays on the far array; "
        "set `failback immediate` in /etc/multipath.conf",
    )


def test_what_the_deployment_writes_is_about_one_volume():
    """Other arrays of the host keep their settings."""
    assert settings_of(WWID).count(WWID) == 2
    assert "overrides" not in settings_of(WWID)
    assert "defaults" not in settings_of(WWID)


@pytest.mark.parametrize("text", [BUILT_IN[:900], BUILT_IN + "}\n", "ok\n", "timeout\n", BUILT_IN + "no section\n"])
def test_half_a_configuration_is_none(text: str):
    """What is missing could be what does harm."""
    with pytest.raises(Unreachable, match="cannot be read"):
        parse_config(text)
