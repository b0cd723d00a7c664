"""`quorate schema`: the inventory's JSON Schema, for editors that complete and check a file while it is written."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cluster.schema import DIALECT, HEADER, schema
from workers.cli.options import out
from workers.errors import Unusable

OutOption = Annotated[
    Path | None, typer.Option("--out", help="The file to write, beside the inventory; it replaces an older one.")
]


def show(file: OutOption = None) -> None:
    """Print the JSON Schema of an inventory, or write it for your editor.

    An editor with a YAML language server goes by it once the inventory's first line names it;
    `quorate check` sees more.

    Example: quorate schema --out inventory.schema.json
    """
    text = json.dumps(schema(), indent=2) + "\n"
    if file is None:
        out.print(text, markup=False, highlight=False, soft_wrap=True, end="")
        return
    if not _may_replace(file):
        raise Unusable(f"--out {file} is there already, and no schema of an inventory", "name another file")
    try:
        file.write_text(text)
    except OSError as error:
        raise Unusable(f"--out {file} cannot be written: {error.strerror}", "name another place") from None
    header = HEADER.format(file.name)
    out.print(f"{file} is written. The inventory's first line, for the editor:\n{header}", markup=False, soft_wrap=True)


def _may_replace(file: Path) -> bool:
    """Nothing is there, or an older schema: an inventory that somebody has named by mistake stays."""
    if not file.is_file():
        return True
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("$schema") == DIALECT
