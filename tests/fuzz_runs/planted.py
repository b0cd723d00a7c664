"""Faults that are put into the engine on purpose, one of each kind: the laws have to find them."""

from collections.abc import Callable

PLANTED: dict[str, Callable[[], None]] = {}
