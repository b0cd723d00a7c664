"""Whoever knows the address of a chat's webhook may write there: it is referred to, and told by its host alone."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.clients.webhook import post_text, where
from activities.people.hooks import Hooks
from activities.people.notices import Notices
from activities.records.inventory import InventoryReader
from cluster.around import Hook, Notify
from cluster.contracts.records import ClusterName
from cluster.hooks import HookCall
from cluster.notices import Notice, NoticeWish
from cluster.plan import Mode
from tests.receivers import Receiver
from tests.twin import inventory_file
from workers.inventory_file import load

NOTICE = Notice(
    key="1", occasion="opened", cluster="metro", incident="i", title="t", text="x", at=datetime(2026, 3, 1, tzinfo=UTC)
)
SECRET = "T0123/B4567/canary-secret"


@pytest.fixture
def chat() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.stop()


def call(hook: Hook) -> HookCall:
    return HookCall(mode=Mode.APPLY, hook=hook, when="after", step="s", cluster="c", runbook="r", run="r", key="k")


def sent(target: Notify, base: Path, folders: tuple[Path, ...] = ()) -> str:
    found = ActivityEnvironment().run(Notices((target,), Secrets(base, folders)).send, NoticeWish(notice=NOTICE))
    return found.finding


async def test_the_address_may_be_referred_to(chat: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By a variable or a file; the history of a run holds the reference."""
    (tmp_path / "chat").write_text(f"{chat.url}/{SECRET}\n")
    monkeypatch.setenv("CHAT", f"{chat.url}/{SECRET}")
    assert sent(Notify(name="a", webhook="file:chat"), tmp_path) == "told a"
    assert sent(Notify(name="b", webhook="env:CHAT"), tmp_path) == "told b"
    hook = Hook(name="tell", after="s", webhook="env:CHAT")
    assert (await Hooks([f"{chat.url}/"], Secrets(tmp_path)).call(call(hook))).finding == "HTTP 200"
    assert len(chat.got) == 3

    inventory = load(inventory_file(tmp_path)).model_copy(update={"hooks": (hook,)})
    read = await InventoryReader(inventory).read(ClusterName())
    assert "env:CHAT" in read.model_dump_json()
    assert SECRET not in read.model_dump_json()


@pytest.mark.parametrize("status", [400, 404, 503])
def test_what_goes_wrong_is_told_without_the_path(chat: Receiver, status: int):
    """Refused, or tried again: host and port say which one it was."""
    chat.status = status
    with pytest.raises(ApplicationError) as told:
        post_text(f"{chat.url}/{SECRET}?token={SECRET}", "{}", {}, 5)
    assert SECRET not in told.value.message
    assert told.value.message.startswith(f"127.0.0.1:{chat.port} says HTTP {status}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silence_and_bad_certificates_are_told_without_the_path(scheme: str, chat: Receiver):
    """The library's own words hold the whole address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1] if scheme == "http" else chat.port
    with pytest.raises(ApplicationError) as told:
        post_text(f"{scheme}://user:canary@127.0.0.1:{port}/{SECRET}", "{}", {}, 5)
    assert "canary" not in told.value.message
    assert f"127.0.0.1:{port}" in told.value.message


async def test_a_hook_that_is_not_allowed_is_told_without_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its name and the host are enough to find it."""
    monkeypatch.setenv("CHAT", f"https://chat.example.net/{SECRET}")
    with pytest.raises(ApplicationError, match=r"hook tell: chat\.example\.net is not among") as told:
        await Hooks([], Secrets(tmp_path)).call(call(Hook(name="tell", after="s", webhook="env:CHAT")))
    assert "canary" not in told.value.message


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The inventory's folder, with a link out of it, beside a folder with a key."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key").write_text("private")
    base = tmp_path / "inventory"
    base.mkdir()
    (base / "link").symlink_to(tmp_path / "elsewhere" / "key")
    return base


@pytest.mark.parametrize("reference", ["file:/etc/hostname", "file:../elsewhere/key", "file:link"])
def test_no_file_of_the_worker_is_sent_away(chat: Receiver, base: Path, reference: str):
    """Who may change the inventory cannot have a key of the host delivered to an address of their own."""
    said = sent(Notify(name="a", webhook=chat.url, headers={"X": reference}), base)

    assert "may only be read below the inventory's folder" in said
    assert chat.got == []


def test_a_file_of_a_folder_that_the_worker_names_is_sent(chat: Receiver, base: Path):
    """Whoever starts the worker has allowed it."""
    target = Notify(name="a", webhook=chat.url, headers={"X": "file:../elsewhere/key"})

    assert sent(target, base, (base.parent / "elsewhere",)) == "told a"


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://a.example/b", "a.example"), ("http://[::1]:8/x", "::1:8"), ("http://a:b/c", "the webhook")],
)
def test_an_address_is_told_by_its_host(url: str, host: str):
    """Whatever stands in it."""
    assert where(url) == host
