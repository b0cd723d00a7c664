"""The mark of a method that is an activity: it serves a reference, with the types that the reference names."""

import dataclasses
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast, overload

from temporalio import activity

from cluster.contracts.reference import Activity

Room = TypeVar("Room")
Takes = TypeVar("Takes")
Answers = TypeVar("Answers")

# Where the SDK keeps what it knows of an activity; there is no public name for it.
DEFINITION = "__temporal_activity_definition"
_FORMERLY = "formerly"


class _Serves(Protocol[Takes, Answers]):
    """Marks a method, be it a coroutine or not; mypy refuses one of other types."""

    @overload
    def __call__(
        self, method: Callable[[Room, Takes], Coroutine[Any, Any, Answers]]
    ) -> Callable[[Room, Takes], Coroutine[Any, Any, Answers]]: ...

    @overload
    def __call__(self, method: Callable[[Room, Takes], Answers]) -> Callable[[Room, Takes], Answers]: ...


def serves(reference: Activity[Takes, Answers], **options: Any) -> _Serves[Takes, Answers]:
    """The method is the activity of that reference; `options` are those of ``activity.defn``."""

    def serve(method: Callable[..., Any]) -> Callable[..., Any]:
        setattr(method, _FORMERLY, reference.formerly)
        return activity.defn(name=reference.name, **options)(method)

    return cast("_Serves[Takes, Answers]", serve)


def registered(method: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The activity as a worker takes it: under its name, and under the one that runs of before know it by."""
    definition = getattr(method, DEFINITION)
    former = getattr(method, _FORMERLY, "")
    if not former:
        return [method]
    again = functools.update_wrapper(functools.partial(method), method)
    setattr(again, DEFINITION, dataclasses.replace(definition, name=former))
    return [method, again]
