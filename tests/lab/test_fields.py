"""Texts, statuses and fields as the original's source and captured payloads have them, each kind once."""

from typing import Any

import pytest

from lab.hosts.node import NODE
from lab.physics import jump
from lab.physics.power import switch_witness
from lab.pve.daemon.front import _answering
from lab.pve.daemon.schema import check, schema
from lab.pve.errors import PveError
from tests.lab.stage import Api, Stage, deployed, healthy

CONFIG = "/nodes/a/qemu/300/config"


def refused(verb: str, path: str, **given: Any) -> dict[str, str]:
    """What a check of parameters finds wrong, as the wire shows it."""
    method, in_path = schema().find(verb, path)
    with pytest.raises(PveError) as caught:
        check(method, {**in_path, **given})
    response = caught.value.response()
    assert (response.status, response.reason) == (400, "Parameter verification failed.")
    return caught.value.shown()


@pytest.mark.parametrize(
    ("parameters", "errors"),
    [
        ({"cores": "many"}, {"cores": "type check ('integer') failed - got 'many'"}),
        ({"cores": "0"}, {"cores": "value must have a minimum value of 1"}),
        ({"bios": "none"}, {"bios": "value 'none' does not have a value in the enumeration 'seabios, ovmf'"}),
        ({"nonsense": "1"}, {"nonsense": "property is not defined in schema and the schema does not allow additional "
                             "properties"}),
        ({"name": "a_b"}, {"name": "invalid format - value does not look like a valid DNS name\n"}),
        ({"net0": "virtio,tag=0"}, {"net0": "invalid format - format error\nnet0.tag: value must have a minimum value "
                                    "of 1\n"}),
        ({"net0": "bridge=vmbr0"}, {"net0": "invalid format - format error\nnet0.model: property is missing and it is "
                                    "not optional\n"}),
        ({"net0": "virtio,shape=round"}, {"net0": "invalid format - invalid key in comma-separated list property: "
                                          "shape\n"}),
        ({"net0": "virtio,tag=3,tag=4"}, {"net0": "invalid format - duplicate key in comma-separated list property: "
                                          "tag\n"}),
        ({"net0": "virtio=BC:24:11:00:00:01,model=e1000"}, {"net0": "invalid format - duplicate key in "
                                                           "comma-separated list property: model\n"}),
        ({"net0": "virtio,tag="}, {"net0": "invalid format - missing key in comma-separated list property\n"}),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named_in_the_originals_words(parameters, errors):
    """Only what died in the check of a format ends with a newline (PVE::JSONSchema, add_error)."""
    assert refused("PUT", CONFIG, **parameters) == errors


def on(begin: Any, steps: Any) -> Any:
    """Run steps with the API of a stage on lab time that jumps."""

    async def run() -> Any:
        stage = await begin()
        return await steps(stage, Api(stage))

    return jump.run(run())


@pytest.mark.parametrize("call", ["GET status", "GET log", "DELETE "])
def test_a_upid_that_is_none_is_a_wrong_parameter(call):
    """Not the daemon's failure: 400, and the parameter is named (PVE::API2::Tasks)."""
    verb, _, part = call.partition(" ")

    async def steps(_: Stage, api: Api) -> PveError:
        with pytest.raises(PveError) as caught:
            await api.call(verb, f"/nodes/{{node}}/tasks/{{upid}}/{part}".rstrip("/"), upid="UPID:bad")
        return caught.value

    error = on(healthy, steps)

    assert (error.status, error.errors) == (400, {"upid": "unable to parse worker upid"})


def test_a_call_is_passed_on_by_a_parameter_that_is_not_in_its_path():
    """`GET /cluster/sdn/dry-run?node=…` has its node there; without one it is refused by name."""
    method, in_path = schema().find("GET", "/cluster/sdn/dry-run")

    assert (method.forwarded, in_path) == (True, {})
    assert _answering({"node": "pxmx02-01"}) == "pxmx02-01"
    with pytest.raises(PveError) as caught:
        _answering({})
    assert caught.value.errors == {"node": "proxyto parameter does not exist"}


def test_a_switch_of_a_rule_is_told_as_it_was_sent():
    """`strict 0` that was sent stands in the file and in the answer; a `disable` that is off does not."""

    async def steps(_: Stage, api: Api) -> dict[str, Any]:
        given = {"rule": "home", "type": "node-affinity", "resources": "vm:300", "nodes": "pxmx01-01"}
        await api.call("POST", "/cluster/ha/rules", **given, strict=0, disable=0)
        return await api.call("GET", "/cluster/ha/rules/{rule}", rule="home")

    found = on(healthy, steps)

    assert found["strict"] == 0
    assert "disable" not in found


def test_nodes_are_listed_with_their_fingerprints():
    """`ssl_fingerprint`, as the schema has it."""

    async def steps(_: Stage, api: Api) -> list[dict[str, Any]]:
        return await api.call("GET", "/nodes")

    assert {len(row["ssl_fingerprint"]) for row in on(healthy, steps)} == {95}


def says(stage: Stage, line: str, node: str = "pxmx01-01") -> Any:
    return NODE.run(stage.world, stage.world.nodes[node], line)


def test_without_a_device_one_blank_stands_before_a_name():
    """Captured: votes-no-device.txt; and the device's tool says who cannot connect."""

    async def steps(stage: Stage, _: Api) -> list[str]:
        lines = (await says(stage, "corosync-quorumtool -s")).stdout.splitlines()
        return [*lines[-7:-5], (await says(stage, "corosync-qdevice-tool -s")).stderr]

    heading, first, refused = on(lambda: healthy(device=False), steps)

    assert heading == "    Nodeid      Votes Name"
    assert first == "         1          1 pxmx01-01 (local)"
    assert refused.startswith("corosync-qdevice-tool: Can't connect to QDevice socket")


def test_the_devices_daemon_tells_its_connection():
    """Since when it is connected; without a witness it is not connecting, it has failed to; the API says the same."""

    async def steps(stage: Stage, api: Api) -> list[str]:
        before = (await says(stage, "corosync-qdevice-tool -sv")).stdout
        switch_witness(stage.world, on=False)
        await stage.sleep(40)
        after = (await says(stage, "corosync-qdevice-tool -sv")).stdout
        state = await api.call("GET", "/cluster/config/qdevice", via="pxmx01-01")
        return [before, after, state["State"]]

    before, after, state = on(deployed, steps)

    assert [line.partition(":")[0] for line in before.splitlines()[-4:]] == [
        "State", "TLS active", "Connected since", "Echo reply received",
    ]  # fmt: skip
    assert after.splitlines()[-1] == "State:\t\t\tConnect failed"
    assert state == "Connect failed"
