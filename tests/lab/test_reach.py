"""What a caller meets when a machine is off or a link is cut: silence, and not a refusal."""

import time

import pytest
import requests

from tests.twin import SPEED, TwinThread

NODE = "pxmx01-01"


def ask(twin: TwinThread, name: str = NODE, seconds: float = 1.0) -> int:
    """The status of a call that needs no login."""
    ca = str(twin.path.parent / "secrets" / "ca.pem")
    url = f"https://{twin.inventory.node(name).address}:{twin.inventory.api.port}/api2/json/access/domains"
    return requests.get(url, verify=ca, timeout=seconds).status_code


def cut(twin: TwinThread, link: str) -> None:
    async def now() -> None:
        twin.world.links.cut(link)

    twin.call(now())


def test_behind_a_cut_link_nobody_answers(twin: TwinThread):
    """The caller runs into its own timeout; the other site goes on answering."""
    cut(twin, "uplink:site-a")

    with pytest.raises(requests.Timeout):
        ask(twin)
    assert ask(twin, "pxmx02-01") in (200, 501)


def test_a_connection_from_before_the_cut_falls_silent(twin: TwinThread):
    """It is not closed: the peer is just not heard any more."""
    ca = str(twin.path.parent / "secrets" / "ca.pem")
    with requests.Session() as session:
        url = f"https://{twin.inventory.node(NODE).address}:{twin.inventory.api.port}/api2/json/version"
        session.get(url, verify=ca, timeout=5)
        cut(twin, f"node:{NODE}")

        with pytest.raises(requests.Timeout):
            session.get(url, verify=ca, timeout=1)


def test_address_resolution_gives_up_on_a_dead_machine(twin: TwinThread):
    """After three lab seconds, whatever time the caller would have had."""
    twin.power_off(NODE)
    began = time.monotonic()

    with pytest.raises(requests.ConnectionError):
        ask(twin, seconds=20)
    assert 3 / SPEED <= time.monotonic() - began < 10
