"""One question to one device: its answer, or why there is none. No question outlives its limit."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from activities.errors import Unreachable
from cluster.doctor.check import Unread

T = TypeVar("T")

# Seconds for one answer. A person waits; the slowest of them, a login over SSH at a host that is dark, takes ten.
LIMIT = 15.0
# Seconds for all questions to one endpoint. Each has its own limit; one that sends a letter now and then keeps that
# for ever, and everything else waits.
WHOLE = 120.0
# Threads: two arrays, six nodes and their controllers, each once for the certificate and once for what it says.
THREADS = 64
# How a question fails: with a word, or with an answer of another shape than its reader knows.
FAILED = (ApplicationError, KeyError, TypeError, ValueError, AttributeError, IndexError)


async def told(question: Awaitable[T], who: str, limit: float = LIMIT) -> T | Unread:
    """The answer, or which of the seven words stands for it; an answer that cannot be read is none."""
    try:
        async with asyncio.timeout(limit):
            return await question
    except TimeoutError:
        return Unread(word=Unreachable.__name__, said=f"{who} does not answer within {limit:.0f} s")
    except FAILED as error:
        return _unread(error, who)


async def within(questions: Awaitable[T], who: str, otherwise: Callable[[Unread], T], limit: float = WHOLE) -> T:
    """All that is asked of one endpoint, or what stands for it when the endpoint does not come to an end."""
    try:
        async with asyncio.timeout(limit):
            return await questions
    except TimeoutError:
        return otherwise(Unread(word=Unreachable.__name__, said=f"{who} does not come to an end within {limit:.0f} s"))


def read(question: Callable[[], T], who: str) -> T | Unread:
    """The same of a question that is asked in a thread, whose client has a limit of its own."""
    try:
        return question()
    except FAILED as error:
        return _unread(error, who)


def _unread(error: Exception, who: str) -> Unread:
    if isinstance(error, ApplicationError):
        return Unread(word=str(error.type), said=error.message)
    said = f"{who} answers with something that cannot be read ({type(error).__name__}: {str(error)[:80]})"
    return Unread(word=Unreachable.__name__, said=said)


class Threads:
    """Threads for clients that block; who leaves waits for none of them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="doctor")

    async def run(self, work: Callable[[], T]) -> T:
        """A blocking call, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
