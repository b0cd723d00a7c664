"""What several commands share: their options, the example, the console."""

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.console import PlainConsole
from workers.errors import Unusable
from workers.examples import FOLDER, example_file
from workers.inventory_file import load
from workers.settings import Settings

out = PlainConsole()
err = PlainConsole(stderr=True)

InventoryOption = Annotated[
    Path | None,
    typer.Option("--inventory", "-i", help="The inventory file. Default: $QUORATE_INVENTORY, else ./inventory.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]


def inventory_path(option: Path | None) -> Path:
    """The inventory file that is meant; Unusable when it is not there."""
    path = option or Settings().inventory
    if not path.exists():
        raise Unusable(
            f"there is no inventory file {path}",
            f"name one with --inventory or QUORATE_INVENTORY; `quorate init` writes one, "
            f"{FOLDER}/{example_file().name} is an example",
        )
    return path


def cluster_of(option: Path | None) -> str | None:
    """The cluster of the inventory that was named; None when none was: then every cluster is meant."""
    return load(inventory_path(option)).name if option is not None else None


def run_of(run: str, option: Path | None) -> str:
    """The run's id; with an inventory the procedure alone is enough, ``deploy`` for ``deploy/metro``."""
    cluster = cluster_of(option)
    return run if cluster is None or "/" in run else f"{run}/{cluster}"
