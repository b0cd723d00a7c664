"""Which version of the rules this worker judges by: it goes on record with each judgement. Computed once."""

import functools
import hashlib
from importlib import metadata, resources
from typing import Literal

Judgement = Literal["verdict", "gate", "fencing"]

# The modules that decide, each a file of `cluster` or a folder of it; a test compares them with what imports what.
DECIDING: dict[Judgement, tuple[str, ...]] = {
    "verdict": (
        "basis.py", "verdict.py", "judging", "facts.py", "looks.py", "memory.py", "conditions.py", "evidence.py",
        "guests.py", "recovery.py", "silences.py", "inventory.py", "quorum.py", "breakglass/judged.py",
    ),
    "gate": ("ballot.py", "gate.py", "standing.py", "approval.py", "signers.py"),
    "fencing": ("fencing.py", "recovery.py"),
}  # fmt: skip
# Hex digits of the digest that are told: two versions of the rules are not alike in them by chance.
TOLD = 12


@functools.cache
def rules(of: Judgement) -> str:
    """The package's version and a digest of the sources that decide: ``0.2.0/3f2a9c01d4e7``."""
    whole = hashlib.sha256()
    for name in DECIDING[of]:
        place = resources.files("cluster").joinpath(name)
        files = [place] if place.is_file() else sorted(place.iterdir(), key=lambda one: one.name)
        for file in files:
            if file.name.endswith(".py"):
                whole.update(f"{name} {file.name}\n".encode() + file.read_bytes())
    return f"{metadata.version('quorate')}/{whole.hexdigest()[:TOLD]}"
