"""Two arrays under one subsystem are one device of the kernel's; the same namespace under a second one is refused."""

from collections.abc import Iterator

import pytest

from activities.hosts.paths import Paths
from tests.real.alua.sides import Both

pytestmark = pytest.mark.real

CONFIG = "/sys/kernel/config/nvmet"


@pytest.fixture
def second(both: Both) -> Iterator[str]:
    """The far array shows the namespace under another NQN as well, at its last portal; its NQN."""
    far = both.real.arrays(both.a_node)[1]
    array, ours, nqn = both.stage.guests[far.array], far.nqn, f"{far.nqn}-b"
    there, link = f"{CONFIG}/subsystems/{nqn}", f"{CONFIG}/ports/4/subsystems/{nqn}"
    array.do(
        f"number=$(ls {CONFIG}/subsystems/{ours}/namespaces) && mkdir {there} && cd {there}"
        " && echo 1 >attr_allow_any_host && mkdir namespaces/$number && cd namespaces/$number"
        " && echo /dev/vdb >device_path && echo 00000000-0000-0000-0000-000000000000 >device_uuid"
        f" && cat {CONFIG}/subsystems/{ours}/namespaces/$number/device_nguid >device_nguid && echo 1 >enable"
        f" && ln -s {there} {link}"
    )
    yield nqn
    both.stage.guests[both.a_node].do(f"nvme disconnect --nqn={nqn}")
    array.do(f"rm {link} && echo 0 >{there}/namespaces/*/enable && rmdir {there}/namespaces/* {there}")


async def test_the_kernel_refuses_the_namespace_under_a_second_subsystem(both: Both, second: str):
    """As the engine says before it connects anything; and its proof tells it where somebody has done so."""
    node, portal = both.stage.guests[both.a_node], both.real.arrays(both.a_node)[1].portals[3]
    node.do(f"nvme connect --transport=tcp --traddr={portal.split(':')[0]} --trsvcid=4420 --nqn={second}")
    node.do("for i in $(seq 100); do dmesg | grep -q 'because of duplicate IDs' && exit 0; sleep 0.2; done; exit 1")

    said = await both.real.refusal(Paths(both.real.ssh).paths, both.real.paths(both.a_node))
    assert said.startswith(f"Refuted: {both.a_node}: the arrays show the pod under 2 NVMe subsystems (")
    assert second in said
