"""What is kept of an answer: what is listed. What nobody has thought of is dropped, whatever is in it."""

from collections.abc import Mapping
from typing import Any

from cluster.probing.cleaning import Answer, Cleaning

INVENTORY: Mapping[str, Any] = {"name": "contoso", "sites": [], "arrays": []}


def cleaned(*answers: Answer) -> tuple[list[Answer], dict[str, int]]:
    """After both rounds, with what was left out."""
    cleaning = Cleaning()
    cleaning.note(answers, INVENTORY)
    return [cleaning.answer(one) for one in answers], dict(cleaning.dropped.counts)


def test_a_field_that_is_not_listed_is_dropped_and_counted():
    """A guest's notes and tags are what people wrote; the count names the field and nothing of it."""
    config = {"name": "payroll", "cores": 2, "description": "call 555-1234", "Tim's key": "x", "net0": "virtio=BC:24"}
    (found,), left = cleaned(Answer(of="cluster", who="contoso", what="guest", item="300", data=config))

    assert found.data == {"name": "guest-01", "cores": 2}
    assert left == {"cluster guest: description": 1, "cluster guest: other fields": 2}


def test_a_text_where_a_word_is_expected_is_dropped():
    """Fields with the words of devices hold no sentence of a person."""
    rows = [{"sid": "vm:300", "state": "started"}, {"sid": "vm:301", "state": "started\nby Tim <tim@contoso.example>"}]
    (found,), left = cleaned(Answer(of="cluster", who="contoso", what="ha-resources", data=rows))

    assert found.data == [{"sid": "vm:300", "state": "started"}, {"sid": "vm:301"}]
    assert left == {"cluster ha-resources: texts": 1}


def test_of_a_text_only_lines_of_known_forms_are_kept():
    """Names and addresses in them are replaced in their places; a line in another form is counted."""
    lines = [
        "mpath-gold (3624a9370730d187406c1477500a7aa92) dm-1 PURE,FlashArray",
        "size=10T features='0' hwhandler='1 alua' wp=rw",
        "`-+- policy='service-time 0' prio=50 status=active",
        "  `- 0:0:0:253 sdb 8:16  active ready running",
        "# remember to ask Tim",
    ]
    (found,), left = cleaned(Answer(of="node", who="pve1", what="maps", data=lines, status=0))

    assert found.data == ["map-01 (3624a9370000000000000000100000001) dm-1 PURE,FlashArray", *lines[1:4]]
    assert (found.who, left) == ("node-01", {"maps: lines": 1})


def test_a_session_keeps_its_form_under_other_names():
    """Portals match those of the array; the initiator's address and card are not needed."""
    lines = [
        "Target: iqn.2010-06.com.purestorage:flasharray.5a8c19e07d2b4f63 (non-flash)",
        "\tPersistent Portal: 10.22.1.1:3260,1",
        "\t\tIface Name: storage-a",
        "\t\tIface HWaddress: bc:24:11:22:33:44",
        "\t\tSID: 1",
    ]
    ports = [{"name": "CT0.ETH4", "portal": "10.22.1.1:3260"}]
    (array, found), left = cleaned(
        Answer(of="array", who="gold", what="portals", data=ports),
        Answer(of="node", who="pve1", what="sessions", data=lines, status=0),
    )

    assert found.data == [
        "Target: iqn.2010-06.com.purestorage:flasharray.0000000000000001 (non-flash)",
        "\tPersistent Portal: 198.18.0.1:3260,1",
        "\t\tIface Name: iface-01",
        "\t\tSID: 1",
    ]
    assert array.data == [{"name": "CT0.ETH4", "portal": "198.18.0.1:3260"}]
    assert left == {"sessions: lines": 1}


def test_keys_that_are_names_are_replaced_as_well():
    """HA's files are keyed by node."""
    data = {"manager_status": {"node_status": {"pve1": "online", "pve2": "fence"}, "master_node": "pve2"}}
    (found,), _ = cleaned(Answer(of="cluster", who="contoso", what="ha-manager", data=data))

    assert found.data == {
        "manager_status": {"node_status": {"node-01": "online", "node-02": "fence"}, "master_node": "node-02"}
    }


def test_an_answer_that_is_not_listed_at_all_is_dropped():
    """A new question needs a list of what is kept of it."""
    (found,), left = cleaned(Answer(of="node", who="pve1", what="environment", data={"PATH": "/root/bin"}))

    assert (found.data, left) == (None, {"node environment: everything": 1})
