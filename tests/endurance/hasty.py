"""The same engine with shorter waits, so that a thousand troubles fit into minutes. What it does stays the same."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.common import RetryPolicy

from activities.clients import proxmox, purity, ssh
from cluster.contracts.words import NEVER_RETRIED
from workflows import steps

HEARTBEAT = timedelta(seconds=3)
RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=1.0,
    non_retryable_error_types=NEVER_RETRIED,
)


@dataclass(frozen=True)
class Limits:
    """How long the clients wait for an answer, in seconds of the wall."""

    call: float = 2.0


def hurry(limits: Limits | None = None) -> None:
    """Set the waits of this process; with `limits` those of the clients too."""
    steps.HEARTBEAT, steps.RETRY = HEARTBEAT, RETRY
    if limits is not None:
        proxmox.TIMEOUT = purity.READ_TIMEOUT = ssh.COMMAND_TIMEOUT = limits.call
