"""What several commands share: their options, the example, the console."""

from pathlib import Path
from typing import Annotated

import typer

from workers.console import PlainConsole
from workers.errors import Unusable
from workers.settings import Settings

EXAMPLE = Path(__file__).parents[1] / "examples" / "lab.yaml"

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
            f"name one with --inventory or QUORATE_INVENTORY; {EXAMPLE.parent.name}/{EXAMPLE.name} is an example",
        )
    return path
