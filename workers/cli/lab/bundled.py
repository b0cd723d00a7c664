"""A bundle of `quorate probe` as a twin: its inventory on addresses of this machine, its answers beside it."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cluster.inventory import Inventory
from cluster.probing.bundle import LARGEST, BadBundle, Bundle, unpack
from cluster.probing.references import listed, referring
from workers.errors import Unusable
from workers.inventory_file import load
from workers.settings import Settings

if TYPE_CHECKING:
    from lab.probed.facts import Facts

_CONTROL_PORT = 8901  # lab.twin says the same; importing it would bring all servers along
# Second numbers of loopback nets that are looked at for a free one; the examples have 21 and 22.
_NETS = range(60, 250)
# What answers cost the twin that contradict each other, or that somebody has edited.
UNPLAYABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)
# Ports below this are root's; a twin listens on others.
_ROOTS, _HTTPS, _SSH, _IPMI = 1024, 8443, 2222, 6230


def placed(file: Path) -> Path:
    """The inventory file of the twin of that bundle, made where it is not there yet; Unusable for a bad bundle."""
    data = _bytes(file)
    bundle = _bundle(file, data)
    folder = Settings().state / "bundles" / hashlib.sha256(data).hexdigest()[:12]
    path = folder / "inventory.yaml"
    if not path.exists():
        text = yaml.safe_dump(_here(file, bundle), sort_keys=False)
        folder.mkdir(parents=True, exist_ok=True)
        _beside(path).write_bytes(data)
        # in one step: a half one would be taken for whole by the next `lab up`
        unfinished = path.with_suffix(".new")
        unfinished.write_text(f"# The twin of {file.name}: its addresses are this machine's.\n{text}")
        unfinished.replace(path)
    load(path)
    return path


def facts_beside(path: Path) -> "Facts | None":
    """The answers of the bundle that an inventory was made from; None for any other inventory."""
    if not _beside(path).exists():
        return None
    from lab.probed.facts import Facts

    bundle = _bundle(_beside(path), _bytes(_beside(path)))
    try:
        return Facts(bundle, int(load(path).outside.split(".")[1]))
    except UNPLAYABLE:
        raise Unusable(
            f"the bundle beside {path} cannot be played: no twin has answers of that form",
            "ask for one from `quorate probe`",
        ) from None


def told(facts: "Facts | None", inventory: Inventory, path: Path) -> Iterator[str]:
    """Where the inventory of such a twin is, and what of the bundle is not played."""
    if facts is None:
        return
    from lab.probed.missing import missing

    yield f"inventory: {path}"
    yield "as in the bundle, but for:"
    try:
        yield from (f"  {line}" for line in missing(facts, inventory))
    except UNPLAYABLE:
        yield "  what else of it is not played cannot be told: it has answers of another form"


def _beside(path: Path) -> Path:
    return path.with_suffix(".probe.zip")


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > 2 * LARGEST:
            raise Unusable(f"{file} is too large for a bundle of `quorate probe`", "check which file it is")
        return file.read_bytes()
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror}", "name a bundle that `quorate probe` wrote") from None


def _bundle(file: Path, data: bytes) -> Bundle:
    try:
        return unpack(data)
    except BadBundle as error:
        raise Unusable(f"{file} is no bundle that can be used: {error}", "ask for one from `quorate probe`") from None


def _here(file: Path, bundle: Bundle) -> dict[str, Any]:
    """The inventory with addresses and ports that a twin can listen on."""
    from lab.probed.facts import on_loopback

    try:
        text = bundle.inventory
        plain = yaml.safe_load(text)
        decides = plain["witness"] if "witness" in plain else plain["third"]["nodes"][0]
        net = next(one for one in _NETS if _free(on_loopback(decides["address"], one, names=True)))
        found = referring(listed(yaml.safe_load(on_loopback(text, net, names=True))))
        for array in found["arrays"]:
            array["address"] = _reachable(array["address"])
        for site in (*found["sites"], *filter(None, [found.get("third")])):
            for node in site["nodes"]:
                if "bmc" in node:
                    port = _IPMI if node["bmc"].get("protocol") == "ipmi" else _HTTPS
                    node["bmc"]["address"] = _reachable(node["bmc"]["address"], port)
    except (yaml.YAMLError, *UNPLAYABLE):
        raise Unusable(f"{file} is no bundle that can be used: its inventory cannot be read") from None
    except StopIteration:
        raise Unusable("no loopback net is free for another twin", "end one with `quorate lab down`") from None
    if found["ssh"].get("port", 22) < _ROOTS:
        found["ssh"]["port"] = _SSH
    return found


def _reachable(address: str, instead: int = _HTTPS) -> str:
    """With a port that no root is needed for; `instead` where there is none."""
    host, _, port = address.partition(":")
    return f"{host}:{port if port and int(port) >= _ROOTS else instead}"


def _free(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, _CONTROL_PORT))
        except OSError:
            return False
    return True
