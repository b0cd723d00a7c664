"""The example inventories and scenarios: of a checkout, or of the installed package, put where one can edit them."""

import functools
import shutil
from pathlib import Path

FOLDER = "examples"
_CHECKOUT = Path(__file__).parents[1] / FOLDER
_PACKAGED = Path(__file__).parent / "example_files"


@functools.cache
def example_file(name: str = "lab.yaml") -> Path:
    """That example. Without a checkout all are copied to ``./examples``; what stands there is never overwritten."""
    if (_CHECKOUT / name).exists():
        return _CHECKOUT / name
    here = Path.cwd() / FOLDER
    for packaged in sorted(path for path in _PACKAGED.rglob("*.*") if path.suffix in (".yaml", ".json")):
        own = here / packaged.relative_to(_PACKAGED)
        if not own.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packaged, own)
    return here / name
