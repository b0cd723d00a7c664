"""What several commands share: their options, the example, the console."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

EXAMPLE = Path(__file__).parents[1] / "examples" / "lab.yaml"

out = Console()

InventoryOption = Annotated[
    Path | None,
    typer.Option("--inventory", "-i", help="The inventory file. Default: $QUORATE_INVENTORY, else ./inventory.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
