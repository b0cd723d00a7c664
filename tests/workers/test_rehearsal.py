"""How fast a rehearsal's time runs is told to the worker, and refused where a cluster may be a real one."""

import pytest

from cluster.inventory import Inventory, Witness
from tests.verdict.world import INVENTORY
from workers.errors import Unusable
from workers.settings import Settings
from workers.worker.rehearsal import speed_of_time

NODE, ARRAY = INVENTORY.nodes[0], INVENTORY.arrays[1]


def with_node(**update: object) -> Inventory:
    node = NODE.model_copy(update=update)
    site = INVENTORY.sites[0].model_copy(update={"nodes": (node, *INVENTORY.sites[0].nodes[1:])})
    return INVENTORY.model_copy(update={"sites": (site, INVENTORY.sites[1])})


def with_array(address: str) -> Inventory:
    array = ARRAY.model_copy(update={"address": address})
    return INVENTORY.model_copy(update={"arrays": (INVENTORY.arrays[0], array)})


REAL = {
    f"{NODE.name} (10.20.1.11)": with_node(address="10.20.1.11"),
    f"{NODE.name} (10.20.1.111:443)": with_node(
        bmc=NODE.bmc and NODE.bmc.model_copy(update={"address": "10.20.1.111:443"})
    ),
    f"{ARRAY.name} (array.example)": with_array("array.example"),
    "witness (10.20.3.10)": INVENTORY.model_copy(update={"witness": Witness(name="witness", address="10.20.3.10")}),
}


@pytest.mark.parametrize("who", REAL)
def test_time_runs_faster_only_on_loopback(who: str):
    """Every wait that safety asks for would be shorter."""
    with pytest.raises(Unusable) as refused:
        speed_of_time(REAL[who], Settings(speed=20))

    assert refused.value.what == (
        "QUORATE_SPEED: 20 shortens the safety waits: it is only for a rehearsal on loopback addresses, "
        f"and {who} is not one"
    )
    assert refused.value.remedy == "unset it"
    assert speed_of_time(REAL[who], Settings()) == 1.0


def test_a_rehearsal_runs_as_fast_as_its_worker_is_told(monkeypatch: pytest.MonkeyPatch):
    """The twin stands on loopback addresses alone."""
    monkeypatch.setenv("QUORATE_SPEED", "20")

    assert speed_of_time(INVENTORY, Settings()) == 20.0
