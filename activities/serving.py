"""The mark of a method that is an activity: it serves a reference, with the types that the reference names."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast, overload

from temporalio import activity

from cluster.contracts.reference import Activity

Room = TypeVar("Room")
Takes = TypeVar("Takes")
Answers = TypeVar("Answers")


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
    return cast("_Serves[Takes, Answers]", activity.defn(name=reference.name, **options))
