"""`quorate probe`: reads what a site answers and writes it down without names. Changes nothing."""

import asyncio
import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from workers.cli.options import InventoryOption, JsonOption, err, inventory_path, out
from workers.errors import Unusable
from workers.inventory_file import load


def probe(
    inventory: InventoryOption = None,
    to: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("probe.zip"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    word: Annotated[
        list[str] | None, typer.Option(help="A name of yours that devices use as a word: it may stay; again for more.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record what a site answers, without its names and secrets, for a twin of it.

    Names, addresses and serial numbers become others of the same form; whatever is not known to be needed is left out.
    Nothing is sent: read the file, then send it or not.
    It exits with 0 when the bundle is written, also when something did not answer; that is noted in it.

    Example: quorate probe -i inventory.yaml --out probe.zip
    """
    from cluster.probing.bundle import pack
    from workers.cli.probe import page
    from workers.cli.probe.asked import answers
    from workers.cli.probe.bundling import bundled

    path = inventory_path(inventory)
    known = load(path)
    _may_write(to, force=force)
    with err.status("asking") as told:

        def progress(answered: int, asked: int) -> None:
            told.update(f"asking: {answered} of {asked} have answered")

        found = asyncio.run(answers(known, path, progress))
    if all(one.word for one in found):
        raise Unusable(
            "nothing of this site answers, so there is nothing to record", f"look at it with `quorate doctor -i {path}`"
        )
    bundle = bundled(known, found, word or ())
    data = pack(bundle)
    _write(to, data)
    digest = hashlib.sha256(data).hexdigest()
    if as_json:
        about = bundle.manifest.model_dump()
        out.print_json(data={"bundle": str(to), "bytes": len(data), "sha256": digest, "manifest": about})
        return
    for line in page.lines(bundle):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    out.print(f"{to}: {len(data)} bytes, SHA-256 {digest}", markup=False, highlight=False, soft_wrap=True)
    out.print(
        f"Read it before you send it: unzip -p {to} | less. `quorate lab up --bundle {to}` builds a twin from it.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _may_write(to: Path, *, force: bool) -> None:
    if to.exists() and not force:
        raise Unusable(f"{to} is there already", "choose another file with --out, or write over it with --force")
    if not to.absolute().parent.is_dir():
        raise Unusable(f"there is no folder {to.absolute().parent}", "make it, or choose another file with --out")


def _write(to: Path, data: bytes) -> None:
    """All of it or nothing; readable by its owner alone."""
    # a name of its own: another probe may write beside it, and a link that lies there already leads elsewhere
    beside = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        beside.replace(to)
    except OSError as error:
        raise Unusable(f"{to} cannot be written: {error.strerror}", "choose another file with --out") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


COMMANDS = (probe,)
