"""NVMe over fabrics on a host: controllers with their states, the host's own name, what a boot connects to.

`nvme list-subsys -o json` has changed its shape: version 1 prints one object, version 2 a list with one for each host
name; an address has blanks or commas between its parts. Both are read.
"""

import json
import re
import shlex
from typing import Any

from activities.parsing import reader
from cluster.nvme import LOSS, PORT, Controller, Line, portal

_NQN = re.compile(r"^nqn\.\d{4}-\d{2}\.\S+$")
# Where a discovery controller listens unless a line says otherwise (NVMe TCP transport: 8009).
_DISCOVERY_PORT = "8009"
_DISCOVERY_NQN = "nqn.2014-08.org.nvmexpress.discovery"
_LONG = {"-t": "--transport", "-a": "--traddr", "-s": "--trsvcid", "-w": "--host-traddr", "-f": "--host-iface",
         "-l": "--ctrl-loss-tmo"}  # fmt: skip


@reader
def parse_controllers(text: str) -> tuple[Controller, ...]:
    """`nvme list-subsys [DEVICE] -o json`: the controllers over TCP; their ANA states where a device was asked for."""
    if not text.strip():
        return ()
    told = json.loads(text)
    hosts = told if isinstance(told, list) else [told]
    found = []
    for subsystem in (one for host in hosts for one in host.get("Subsystems") or ()):
        if "NQN" not in subsystem:
            raise ValueError(f"a subsystem without NQN: {str(subsystem)[:80]}")
        for path in subsystem.get("Paths") or ():
            if path.get("Transport") == "tcp" and subsystem["NQN"] != _DISCOVERY_NQN:
                found.append(_controller(subsystem, path))
    return tuple(found)


def _controller(subsystem: dict[str, Any], path: dict[str, Any]) -> Controller:
    address = dict(part.partition("=")[::2] for part in re.split(r"[, ]+", str(path.get("Address", ""))) if part)
    if "traddr" not in address or "State" not in path:
        raise ValueError(f"a path without address or state: {str(path)[:80]}")
    return Controller(
        name=str(path.get("Name", "")),
        subsystem=str(subsystem["NQN"]),
        group=str(subsystem.get("Name", "")),
        portal=portal(address["traddr"], address.get("trsvcid") or str(PORT)),
        iface=address.get("host_iface") or address.get("host_traddr") or "",
        state=str(path["State"]),
        ana=str(path.get("ANAState") or ""),
    )


@reader
def parse_hostnqn(text: str) -> str:
    """The host's own name in `/etc/nvme/hostnqn`."""
    nqn = text.strip()
    if not _NQN.match(nqn):
        raise ValueError(repr(nqn[:80]) if nqn else "it is empty")
    return nqn


@reader
def parse_discovery(text: str) -> tuple[Line, ...]:
    """`/etc/nvme/discovery.conf`: what `nvmf-autoconnect.service` asks at boot; lines without a portal say nothing."""
    lines = []
    for line in (one.strip() for one in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        options = _options(line)
        if options.get("--transport") == "tcp" and (host := options.get("--traddr")):
            lines.append(
                Line(
                    portal=portal(host, options.get("--trsvcid") or _DISCOVERY_PORT),
                    iface=options.get("--host-iface") or options.get("--host-traddr") or "",
                    patient=options.get("--ctrl-loss-tmo") == LOSS[0].partition("=")[2],
                )
            )
    return tuple(lines)


def _options(line: str) -> dict[str, str]:
    """Long names to values; nvme-cli takes a blank for ``=``."""
    words = [part for word in shlex.split(line) for part in word.split("=", 1)]
    found: dict[str, str] = {}
    for name, value in zip(words, [*words[1:], ""], strict=True):
        if name.startswith("-") and not re.fullmatch(r"-\d+", name):
            found[_LONG.get(name, name)] = "" if value.startswith("--") else value
    return found


@reader
def parse_native(text: str) -> bool:
    """`/sys/module/nvme_core/parameters/multipath`: whether the kernel itself puts a namespace's paths together."""
    if (value := text.strip()) not in ("Y", "N"):
        raise ValueError(repr(value[:80]))
    return value == "Y"
