"""Faults that the control plane plants on calls: the next matching call meets one.

A service is an API or an sshd of one device: ``X90R3-SiteA``, ``pve:pxmx01-01``, ``ssh:pxmx01-01``.
A call is what stands in that device's log: ``POST /pods`` or a host's command line.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["delay", "fail", "drop", "hang", "reset"]


@dataclass
class Fault:
    """One planted fault.

    `delay` answers after `seconds` of lab time; `fail` answers `status` and `message` without doing anything;
    `drop` does the work and closes the connection without a reply; `hang` never answers; `reset` closes at once.
    """

    service: str
    call: str
    action: Action
    times: int = 1
    seconds: float = 0.0
    status: int = 503
    message: str = "Service Unavailable"
    met: list[str] = field(default_factory=list)

    def matches(self, service: str, call: str) -> bool:
        """Both patterns are regular expressions, searched anywhere in the text."""
        return (
            len(self.met) < self.times
            and re.search(self.service, service) is not None
            and re.search(self.call, call) is not None
        )


class Faults:
    """The faults that are planted now, in the order they were planted."""

    def __init__(self) -> None:
        self.planted: list[Fault] = []

    def plant(self, fault: Fault) -> None:
        """Add a fault; it is met `times` times and then rests."""
        self.planted.append(fault)

    def take(self, service: str, call: str) -> Fault | None:
        """The fault this call meets, counted as met; None for an ordinary call."""
        for fault in self.planted:
            if fault.matches(service, call):
                fault.met.append(f"{service} {call}")
                return fault
        return None

    def clear(self) -> None:
        """Forget all of them."""
        self.planted.clear()
