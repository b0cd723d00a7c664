"""Each client turns its library's errors into the seven words, in one place."""

from pathlib import Path

import asyncssh
import pytest

from activities.clients import proxmox_answers, purity_answers, ssh
from activities.clients.secrets import Secrets
from activities.errors import WORDS, Conflict, NotFound, NotYet, Rejected, Unauthorized, Unreachable, Word


@pytest.mark.parametrize(
    ("status", "message", "word"),
    [
        (400, "Pod does not exist.", NotFound),
        (400, "No such volume or snapshot.", NotFound),
        (400, "Target array could not be found.", NotFound),
        (400, "Volume already exists.", Conflict),
        (400, "The specified IQN is already in use.", Conflict),
        (400, "Host already belongs to a host group.", Conflict),
        (400, "Pod contains file systems or policies.", Rejected),
        (400, "", Rejected),
        (401, "Invalid session.", Unauthorized),
        (403, "Operation not permitted.", Unauthorized),
        (404, "Path not found.", Rejected),
        (429, "Too many requests.", Unreachable),
        (500, "Server is busy", Unreachable),
        (503, "", Unreachable),
        (504, "", Unreachable),
    ],
)
def test_an_arrays_refusals(status: int, message: str, word: type[Word]):
    """Purity says 400 for nearly everything; the sentence decides."""
    refused = purity_answers.refusal("X90R3-SiteA", status, message, "object")

    assert type(refused) is word
    assert refused.message.startswith("X90R3-SiteA: ")


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        (400, "Parameter verification failed.", Rejected),
        (401, "No ticket", Unauthorized),
        (401, "Authentication failed!", Unauthorized),
        (403, "Permission check failed (/vms/300, VM.PowerMgmt)", Unauthorized),
        (500, "create resource failed: resource ID 'vm:300' already defined", Conflict),
        (500, "unable to create VM 300: config file already exists", Conflict),
        (500, "no such resource 'vm:300'", NotFound),
        (500, "storage 'S' does not exist", NotFound),
        (500, "VM is locked (clone)", NotYet),
        (500, "can't lock file '/var/lock/qemu-server/lock-300.conf' - got timeout", NotYet),
        (500, "cluster not ready - no quorum?", NotYet),
        (500, "error: got lock request timeout", NotYet),
        (500, "can't clone to non-shared storage 'S'", Rejected),
        (429, "Too Many Requests", Unreachable),
        (501, "Method 'GET /x' not implemented", Rejected),
        (503, "Service Unavailable", Unreachable),
        (595, "No route to host", Unreachable),
        (596, "Connection timed out", Unreachable),
        (599, "", Unreachable),
    ],
)
def test_the_clusters_refusals(status: int, reason: str, word: type[Word]):
    """Business errors of Proxmox VE are all 500; the reason phrase decides."""
    assert type(proxmox_answers.refusal(status, reason, {})) is word


def test_a_wrong_parameter_is_named():
    """The field stands in the message."""
    refused = proxmox_answers.refusal(400, "Parameter verification failed.", {"vmid": "invalid format\n"})

    assert refused.message == "Proxmox VE: Parameter verification failed. vmid: invalid format"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (asyncssh.HostKeyNotVerifiable("changed"), Unauthorized),
        (asyncssh.PermissionDenied("no"), Unauthorized),
        (asyncssh.ConnectionLost("gone"), Unreachable),
        (asyncssh.ChannelOpenError(1, "no channel"), Unreachable),
        (ConnectionRefusedError(111, "Connection refused"), Unreachable),
        (TimeoutError(), Unreachable),
    ],
)
def test_a_hosts_failures(error: Exception, word: type[Word]):
    """Whoever cannot be trusted is no matter of trying again."""
    assert type(ssh.failure("pxmx01-01", "127.0.0.1", error)) is word


def test_five_words_are_final_and_two_are_tried_again():
    """The tree in the docstring is what the classes do."""
    assert {word.__name__ for word in WORDS if not word.final} == {"Unreachable", "NotYet"}
    assert all(word("x").non_retryable is word.final and word("x").type == word.__name__ for word in WORDS)


def test_secrets_come_from_environment_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both kinds of reference; a file counts from the inventory's folder."""
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("QUORATE_TEST_TOKEN", "from-env")
    secrets = Secrets(tmp_path)

    assert secrets.read("file:token") == "from-file"
    assert secrets.read("env:QUORATE_TEST_TOKEN") == "from-env"
    with pytest.raises(NotFound, match="environment has no QUORATE_NOT_SET"):
        secrets.read("env:QUORATE_NOT_SET")
