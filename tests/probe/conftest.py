"""A site with canaries in every name, note and secret; its answers, and the bundle that the command wrote."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.probing.cleaning import Answer
from lab.scenery import beside
from tests.incidents.conftest import Site
from tests.twin import inventory_file
from workers.cli.main import app
from workers.cli.probe.asked import answers
from workers.inventory_file import load

# No device of the twin and none of our own texts says this.
CANARY = "zzq"
SECRETS = ("fa-north.token", "fa-south.token", "bmc.password", "pve.token")
_NAMES = (
    "metro", "north", "south", "pve-n", "pve-s", "pve-01", "qnetd", "web-", "db-01", "dns-01", "proxy-01", "old-app",
    "build-01", "depot-east", "backup-nfs", "nfs.lab", "/backup", "nightly", "databases", "retired", "engine",
    "runbook", "scratch-01",
)  # fmt: skip
_NAME = re.compile(
    rf"(?<![\w/.]|-)({'|'.join(map(re.escape, _NAMES))})|(?<=: )/(backup)|(?<=[-/@!])(north|south|metro)"
)


# One node has its own settings, and an alias for a disk of one of its projects.
MULTIPATH_CONF = f"""
defaults {{
  polling_interval 10
  bindings_file /etc/multipath/{CANARY}
}}
devices {{
  device {{
    vendor "PURE"
    product "FlashArray"
    no_path_retry 0
  }}
}}
multipaths {{
  multipath {{
    wwid 36001405{CANARY}
    alias {CANARY}-archive
  }}
}}
"""


@dataclass(frozen=True)
class Probed:
    """The site, what it said, and the file."""

    site: Site
    raw: tuple[Answer, ...]
    file: Path
    page: str


def with_canaries(path: Path) -> None:
    """Every name of the files begins with the canary; references to files stay."""
    for file in (path, beside(path)):
        lines = (line.partition("#")[0] for line in file.read_text().splitlines())
        file.write_text("\n".join(map(_with_canary, lines)).replace("root_group: pve", f"root_group: {CANARY}-root"))
    (path.parent / "secrets").mkdir(exist_ok=True)
    for name in SECRETS:
        (path.parent / "secrets" / f"{CANARY}-{name}").write_text(f"{CANARY}-5ecret-of-{name.replace('.', '-')}")


def _with_canary(line: str) -> str:
    head, mark, reference = line.partition("file:") if "file:" in line else (line, "", "")
    text = _NAME.sub(lambda found: f"{CANARY}{found[0].lstrip('/')}" if found[0] != "/" else found[0], head)
    return text + mark + re.sub(r"secrets/(?=[\w-]+\.(token|password))", f"secrets/{CANARY}-", reference)


def plant(site: Site) -> None:
    """What people write beside names: descriptions, tags, comments, a pool, a banner, a rule."""
    cluster = site.world.cluster
    for guest in cluster.guests.values():
        guest.config |= {"description": f"{CANARY} call the owner", "tags": f"{CANARY}-tag"}
    cluster.storages["local"].properties["comment"] = f"{CANARY} disk"
    cluster.ha.resources["vm:300"]["comment"] = f"{CANARY} comment"
    nodes = list(site.world.nodes)
    cluster.ha.rules[f"{CANARY}-rule"] = {
        "type": "node-affinity", "resources": "vm:301", "nodes": f"{nodes[1]}:2,{nodes[2]}", "comment": CANARY,
    }  # fmt: skip
    host = site.world.nodes[nodes[0]]
    host.files["/etc/multipath.conf"] = MULTIPATH_CONF
    host.settings = host.multipath_files()
    for array in site.world.arrays.values():
        array.settings["banner"] = f"{CANARY} welcome"


@pytest.fixture(scope="session")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probed]:
    folder = tmp_path_factory.mktemp("probe")
    path = inventory_file(folder, "probed", "metro")
    with_canaries(path)
    site = Site(path)
    site.rebuild()
    plant(site)
    raw = asyncio.run(answers(load(path), path, lambda answered, asked: None))
    file = folder / "probe.zip"
    done = CliRunner().invoke(app, ["probe", "-i", str(path), "--out", str(file)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    yield Probed(site, tuple(raw), file, done.output)
    site.stop()
