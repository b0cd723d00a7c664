"""What spares the machine, not the tests: garbage is collected less often where memory is not short."""

import gc
import os


def spare_servers() -> None:
    """Temporal servers that this process starts collect their garbage less often."""
    os.environ.setdefault("GOGC", "400")


def keep_imports() -> None:
    """What was imported stays: collecting garbage among it again and again is a twelfth of the whole time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
