"""What this machine has: the files that the inventory refers to, and room for what is kept."""

import os
import shutil
from pathlib import Path

from cluster.doctor.here import HereTold
from cluster.inventory import Inventory
from workers.cli.check import complaints_of
from workers.settings import Settings


def told(inventory: Inventory, path: Path, settings: Settings) -> HereTold:
    """Files and disk."""
    folder = settings.state.absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return HereTold(
        complaints=tuple(str(one) for one in complaints_of(inventory, path)),
        file=str(path),
        folder=str(settings.state),
        free=shutil.disk_usage(there).free if writable else None,
        traces=settings.traces_megabytes * 2**20,
    )
