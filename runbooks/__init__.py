"""What an operator starts: one procedure a file. A new file in this folder is in the catalogue by itself."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflows.runbook import Runbook

    ALL_RUNBOOKS: tuple[type[Runbook], ...]


def __getattr__(name: str) -> Any:
    """`ALL_RUNBOOKS`, gathered when somebody asks.

    Not at import: Temporal's sandbox imports this package anew for every run, and one run needs one runbook.
    """
    if name != "ALL_RUNBOOKS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = gathered(importlib.import_module(module) for module in _modules())
    return found


def _modules() -> list[str]:
    return [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]


def gathered(modules: Any) -> "tuple[type[Runbook], ...]":
    """The runbooks that those modules define, by name, those for an emergency last; one name twice is our error."""
    from workflows.runbook import Runbook

    found: dict[str, type[Runbook]] = {}
    for module in modules:
        for thing in vars(module).values():
            if not (isinstance(thing, type) and issubclass(thing, Runbook) and thing.__module__ == module.__name__):
                continue
            if "about" in vars(thing):  # else it is what several runbooks stand on
                other = found.setdefault(thing.about.name, thing)
                if other is not thing:
                    raise TypeError(f"{thing.__name__} and {other.__name__} are both called {thing.about.name!r}")
    return tuple(found[name] for name in sorted(found, key=lambda name: (found[name].about.emergency, name)))
