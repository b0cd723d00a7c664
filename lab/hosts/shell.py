"""A very small shell: one command, its words, leading variables; and the registry of commands per role.

There are no pipes, no globs and no substitution: what the engine needs is one program at a time.
"""

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.world import Host, World


@dataclass(frozen=True)
class Output:
    """What a program printed, and its exit status."""

    stdout: str = ""
    stderr: str = ""
    status: int = 0


@dataclass(frozen=True)
class Call:
    """One command on one host. `words` are its arguments, without the program's name."""

    world: World
    host: Host
    words: tuple[str, ...]

    def option(self, *names: str) -> str | None:
        """The word after one of these options, or behind its ``=``."""
        for index, word in enumerate(self.words):
            if word in names:
                return self.words[index + 1] if index + 1 < len(self.words) else ""
            for name in names:
                if name.startswith("--") and word.startswith(f"{name}="):
                    return word.partition("=")[2]
        return None

    def has(self, *names: str) -> bool:
        """Whether one of these words is there."""
        return any(name in self.words for name in names)


Program = Callable[[Call], Awaitable[Output]]


class Registry:
    """The programs of one role: node or witness."""

    def __init__(self, *inherited: "Registry") -> None:
        self.programs: dict[str, Program] = {}
        for other in inherited:
            self.programs.update(other.programs)

    def program(self, name: str) -> Callable[[Program], Program]:
        """Register a program under its name."""

        def register(function: Program) -> Program:
            self.programs[name] = function
            return function

        return register

    async def run(self, world: World, host: Host, line: str) -> Output:
        """Run a command line as bash would run a single program."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            return Output(stderr=f"bash: -c: line 1: {error}\n", status=2)
        while words and words[0].partition("=")[0].isidentifier() and "=" in words[0]:
            words.pop(0)
        if not words:
            return Output()
        return await self.call(world, host, words)

    async def call(self, world: World, host: Host, words: list[str]) -> Output:
        """Run one program with its words."""
        program = self.programs.get(words[0])
        if program is None:
            return Output(stderr=f"bash: line 1: {words[0]}: command not found\n", status=127)
        return await program(Call(world, host, tuple(words[1:])))
