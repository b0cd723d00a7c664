"""What the HTTP clients make of a device that is busy, forgetful, silent or talks nonsense: one of the seven words."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from activities.clients import proxmox, purity
from activities.clients.proxmox import PveApi
from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.errors import NotFound, NotYet, Rejected, Unauthorized, Unreachable
from lab.physics.faults import Fault
from tests.twin import TwinThread

ARRAY, NODE, OTHER = "X90R3-SiteA", "pxmx01-01", "pxmx01-02"
EVERY_NODE = "^pve:"
GARBAGE = ["<html>502 Bad Gateway</html>", '{"items": [{"na', "[]", '"x"', "null", '{"items": [5]}', "", "\xff\xfe"]
HEADERS = [
    (7, timedelta(seconds=7)),
    ("15", timedelta(seconds=15)),
    (600, timedelta(seconds=60)),
    (0, None),
    (-5, None),
    ("1.5", None),
    ("9" * 5000, None),
    ("soon", None),
    ("Wed, 21 Oct 2015 07:28:00 GMT", None),
    (None, None),
]


@pytest.fixture
def array(twin: TwinThread) -> FlashArray:
    """An array to which the client has logged in already."""
    client = FlashArray(twin.inventory.array(ARRAY), Secrets(twin.path.parent))
    client.array()
    return client


@pytest.fixture
def stranger(twin: TwinThread) -> FlashArray:
    """An array to which nobody has logged in yet."""
    return FlashArray(twin.inventory.array(ARRAY), Secrets(twin.path.parent))


@pytest.fixture
def api(twin: TwinThread) -> PveApi:
    return PveApi(twin.inventory, Secrets(twin.path.parent))


@pytest.fixture(autouse=True)
def lifted(twin: TwinThread) -> Iterator[None]:
    """Nobody hangs when a test is over."""
    yield
    twin.world.faults.clear()


def plant(twin: TwinThread, fault: Fault) -> Fault:
    twin.world.faults.plant(fault)
    return fault


# --- arrays: patience ---


@pytest.mark.parametrize(("header", "pause"), HEADERS)
def test_an_array_is_left_alone_for_as_long_as_it_asks(
    twin: TwinThread, array: FlashArray, header: int | str | None, pause: timedelta | None
):
    """Retry-After becomes the pause before the next attempt, a minute at most; nonsense is as good as nothing."""
    plant(twin, Fault(ARRAY, "POST /pods", "fail", status=429, message="Too many requests.", retry_after=header))

    with pytest.raises(Unreachable, match="Too many requests") as caught:
        array.create_pod("a-pod")

    assert caught.value.next_retry_delay == pause


@pytest.mark.parametrize(
    ("status", "message"),
    [(429, "Too many requests."), (500, "Server is busy"), (502, "x"), (503, "x"), (504, "x"), (507, "x")],
)
def test_a_refused_write_is_not_sent_again_behind_our_back(
    twin: TwinThread, array: FlashArray, status: int, message: str
):
    """The SDK would wait and repeat; a step's next attempt reads before it writes."""
    fault = plant(twin, Fault(ARRAY, "POST /pods", "fail", times=9, status=status, message=message, retry_after=30))

    with pytest.raises(Unreachable) as caught:
        array.create_pod("a-pod")

    assert len(fault.met) == 1
    assert caught.value.next_retry_delay == timedelta(seconds=30)
    assert twin.change_lines() == []


def test_an_array_that_is_too_busy_for_a_login(twin: TwinThread, stranger: FlashArray):
    """The same before there is a session; nobody sleeps inside the SDK."""
    plant(twin, Fault(ARRAY, "POST /login", "fail", times=9, status=503, retry_after=20))

    with pytest.raises(Unreachable, match="Service Unavailable") as caught:
        stranger.array()

    assert caught.value.next_retry_delay == timedelta(seconds=20)


def test_an_array_that_gets_busy_while_a_session_is_renewed(twin: TwinThread, array: FlashArray):
    """The new login is refused with a time, and works when it is over."""
    plant(twin, Fault(ARRAY, "GET /arrays", "expire"))
    plant(twin, Fault(ARRAY, "POST /login", "fail", status=429, retry_after=9))

    with pytest.raises(Unreachable) as caught:
        array.array()

    assert caught.value.next_retry_delay == timedelta(seconds=9)
    assert array.array()["name"] == ARRAY


# --- arrays: nonsense ---


@pytest.mark.parametrize("body", GARBAGE)
def test_nonsense_of_an_array_is_no_answer(twin: TwinThread, array: FlashArray, body: str):
    """Nothing tells whether a write was done, so the word is Unreachable; the next call is an ordinary one."""
    plant(twin, Fault(ARRAY, "GET /pods", "garbage", message=body))
    plant(twin, Fault(ARRAY, "POST /pods", "garbage", message=body))

    with pytest.raises(Unreachable, match=f"{ARRAY} at .* answers with something that cannot be read: "):
        array.pod("a-pod")
    with pytest.raises(Unreachable, match="cannot be read"):
        array.create_pod("a-pod")

    assert twin.change_lines() == []
    assert array.pod("a-pod") is None


@pytest.mark.parametrize("call", ["POST /login", "GET /api_version", "GET /arrays"])
@pytest.mark.parametrize("body", GARBAGE)
def test_nonsense_at_any_moment_of_a_first_call(twin: TwinThread, stranger: FlashArray, call: str, body: str):
    """Whatever answers where an array should, the word is Unreachable; and an array may come back."""
    plant(twin, Fault(ARRAY, call, "garbage", message=body))

    with pytest.raises(Unreachable):
        stranger.array()

    assert stranger.array()["name"] == ARRAY


def test_a_goodbye_needs_no_sensible_answer(twin: TwinThread, stranger: FlashArray):
    """Logging out is a courtesy."""
    fault = plant(twin, Fault(ARRAY, "POST /logout", "garbage", message="<html>"))

    assert stranger.array()["name"] == ARRAY
    assert len(fault.met) == 1


# --- arrays: sessions ---


def test_an_expired_session_is_not_noticed_by_a_read(twin: TwinThread, array: FlashArray):
    """One new login, and the call succeeds."""
    before = len(twin.world.arrays[ARRAY].sessions)
    fault = plant(twin, Fault(ARRAY, "GET /arrays", "expire"))

    assert array.array()["name"] == ARRAY
    assert fault.met == [f"{ARRAY} GET /arrays"]
    assert len(twin.world.arrays[ARRAY].sessions) == before + 1


def test_an_expired_session_does_not_repeat_a_write(twin: TwinThread, array: FlashArray):
    """The array refused before it did anything: what follows is done once."""
    plant(twin, Fault(ARRAY, "POST /pods", "expire"))

    array.create_pod("a-pod")

    assert [line.split()[:3] for line in twin.change_lines()] == [[ARRAY, "pod.create", "a-pod"]]


def test_sessions_that_do_not_last_for_one_call(twin: TwinThread, array: FlashArray):
    """There is one new login and no more."""
    fault = plant(twin, Fault(ARRAY, "POST /pods", "expire", times=None))

    with pytest.raises(Unauthorized, match="Invalid session"):
        array.create_pod("a-pod")

    assert len(fault.met) == 2
    assert twin.change_lines() == []


def test_a_token_that_was_withdrawn_while_the_session_expired(twin: TwinThread, array: FlashArray):
    """A person is told which token it is."""
    twin.world.arrays[ARRAY].tokens.clear()
    plant(twin, Fault(ARRAY, "GET /arrays", "expire"))

    with pytest.raises(Unauthorized, match="the array refuses the API token in file:"):
        array.array()


# --- arrays: silence ---


def test_an_array_that_hangs_up(twin: TwinThread, array: FlashArray):
    """A reset connection is no answer."""
    plant(twin, Fault(ARRAY, "POST /pods", "reset"))

    with pytest.raises(Unreachable, match="does not answer"):
        array.create_pod("a-pod")


def test_an_array_that_never_answers(twin: TwinThread, stranger: FlashArray, monkeypatch: pytest.MonkeyPatch):
    """The client's own patience ends, once and not four times."""
    monkeypatch.setattr(purity, "READ_TIMEOUT", 0.3)
    stranger.array()
    fault = plant(twin, Fault(ARRAY, "GET /pods", "hang", times=None))

    with pytest.raises(Unreachable, match=r"does not answer: .*timed out"):
        stranger.pod("a-pod")

    assert len(fault.met) == 1


# --- the cluster ---


@pytest.mark.parametrize(("header", "pause"), HEADERS)
@pytest.mark.parametrize("status", [429, 503])
def test_a_cluster_is_left_alone_for_as_long_as_it_asks(
    twin: TwinThread, api: PveApi, status: int, header: int | str | None, pause: timedelta | None
):
    """The same rule as for arrays, when no node does better."""
    plant(twin, Fault(EVERY_NODE, "GET /cluster", "fail", times=None, status=status, retry_after=header))

    with pytest.raises(Unreachable, match="Proxmox VE: Service Unavailable") as caught:
        api.get("cluster/resources")

    assert caught.value.next_retry_delay == pause


@pytest.mark.parametrize("body", GARBAGE)
def test_nonsense_of_a_node_is_no_answer(twin: TwinThread, api: PveApi, body: str):
    """A read goes on to the next node; a write is not sent a second time."""
    read = plant(twin, Fault(f"pve:{NODE}", "GET /nodes", "garbage", message=body))
    write = plant(twin, Fault(EVERY_NODE, "POST /pools", "garbage", times=None, message=body))

    assert len(api.get("nodes")) == 6
    assert len(read.met) == 1
    with pytest.raises(Unreachable, match=f"{OTHER} answers with something that cannot be read: "):
        api.post("pools", poolid="a-pool")
    assert len(write.met) == 1
    assert twin.change_lines() == []


def test_nonsense_that_one_node_passes_on_for_another(twin: TwinThread, api: PveApi):
    """A node in between changes nothing of it."""
    plant(twin, Fault(f"pve:{OTHER}", "GET /nodes", "garbage", message="<html>"))

    with pytest.raises(Unreachable, match=f"{NODE} answers with something that cannot be read: '<html>'"):
        api.get(f"nodes/{OTHER}/status", node=NODE)


def test_a_time_that_one_node_passes_on_for_another(twin: TwinThread, api: PveApi):
    """A node in between hands on the headers, too."""
    plant(twin, Fault(f"pve:{OTHER}", "GET /nodes", "fail", retry_after=12))

    with pytest.raises(Unreachable) as caught:
        api.get(f"nodes/{OTHER}/status", node=NODE)

    assert caught.value.next_retry_delay == timedelta(seconds=12)


@pytest.mark.parametrize("asked", [NODE, OTHER])
def test_a_node_that_does_not_know_the_token_any_more(twin: TwinThread, api: PveApi, asked: str):
    """There is nothing to log in to again with a token: one 401 is final, and no other node is tried."""
    fault = plant(twin, Fault(EVERY_NODE, "GET /nodes", "expire", times=None))

    with pytest.raises(Unauthorized, match=r"Authentication failed!; check api\.token_id"):
        api.get(f"nodes/{asked}/status")

    assert fault.met == [f"pve:{NODE} GET /nodes/{asked}/status"]


def test_refusals_of_a_node_keep_their_words(api: PveApi):
    """Reading the answers ourselves has not changed what they mean: the wrong field, the missing thing."""
    with pytest.raises(Rejected, match=r"Parameter verification failed\. type: "):
        api.get("cluster/resources", type="colours")
    with pytest.raises(Rejected, match="not implemented"):
        api.get("no/such/path")
    with pytest.raises(NotFound, match="does not exist"):
        api.get(f"nodes/{NODE}/qemu/4711/config")


def test_a_node_that_hangs_up_on_a_write(twin: TwinThread, api: PveApi):
    """A reset connection is no answer; nobody else is asked to do it."""
    fault = plant(twin, Fault(EVERY_NODE, "POST /pools", "reset", times=None))

    with pytest.raises(Unreachable, match="does not answer"):
        api.post("pools", poolid="a-pool")

    assert len(fault.met) == 1


def test_a_node_that_never_answers(twin: TwinThread, api: PveApi, monkeypatch: pytest.MonkeyPatch):
    """The client's own patience ends; then the next node is asked."""
    monkeypatch.setattr(proxmox, "TIMEOUT", 0.5)
    fault = plant(twin, Fault(f"pve:{NODE}", "GET /nodes", "hang", times=None))

    assert len(api.get("nodes")) == 6
    with pytest.raises(Unreachable, match=f"{NODE} at .* does not answer: .*timed out"):
        api.get("nodes", node=NODE)
    assert len(fault.met) == 2


def test_a_write_that_one_node_refuses_for_lack_of_quorum_goes_elsewhere_next(twin: TwinThread, api: PveApi):
    """It tells its version, and would be asked for ever; it is not sent twice within one attempt."""
    words = "cluster not ready - no quorum?"
    fault = plant(twin, Fault(f"pve:{NODE}", "PUT /cluster/options", "fail", times=None, status=500, message=words))

    with pytest.raises(NotYet, match="no quorum"):
        api.put("cluster/options", crs="ha=basic")
    assert len(fault.met) == 1
    api.put("cluster/options", crs="ha=basic")

    assert len(fault.met) == 1
