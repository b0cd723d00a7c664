"""A very small shell: commands with their words, one after the other; and the registry of commands per role.

What it does not play is refused with a status: an answer that left something out would be a lie.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.hosts.lines import SYNTAX, Unplayed, split
from lab.physics.world import Host
from lab.world import World

# Where Debian keeps programs: a full path is the program's name, too.
_PATHS = ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/")


@dataclass(frozen=True)
class Output:
    """What a program printed, and its exit status."""

    stdout: str = ""
    stderr: str = ""
    status: int = 0


Input = Callable[[], Awaitable[str]]


async def nothing() -> str:
    """The input of a command to which nobody says anything."""
    return ""


@dataclass(frozen=True)
class Call:
    """One command on one host. `words` are its arguments, without the program's name; `input` is what it reads."""

    world: World
    host: Host
    words: tuple[str, ...]
    input: Input = nothing

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
        self.options: dict[str, frozenset[str]] = {}
        for other in inherited:
            self.programs.update(other.programs)
            self.options.update(other.options)

    def program(self, name: str, options: str | None = None) -> Callable[[Program], Program]:
        """Register a program under its name, with the options that it plays: ``-s -c= --unit=``, ``=`` before a value.

        Without options the program looks after its words itself.
        """

        def register(function: Program) -> Program:
            self.programs[name] = function
            if options is not None:
                self.options[name] = frozenset(options.split())
            return function

        return register

    async def run(self, world: World, host: Host, line: str, said: Input = nothing) -> Output:
        """Run a command line as bash would; one that the twin does not play is refused, and nothing of it is done."""
        try:
            parts = split(line)
        except ValueError as error:
            return Output(stderr=f"bash: -c: line 1: {error}\n", status=SYNTAX)
        except Unplayed as unplayed:
            return Output(stderr=f"bash: line 1: the twin's shell does not play {unplayed}\n", status=SYNTAX)
        stdout, stderr, status = "", "", 0
        for part in parts:
            if (part.joint == "&&" and status) or (part.joint == "||" and not status):
                continue
            output = await self._part(world, host, list(part.words), said)
            texts = {1: "", 2: "", None: ""}
            texts[part.out] += output.stdout
            texts[part.err] += output.stderr
            stdout, stderr, status = stdout + texts[1], stderr + texts[2], output.status
        return Output(stdout, stderr, status)

    async def _part(self, world: World, host: Host, words: list[str], said: Input) -> Output:
        while words and words[0].partition("=")[0].isidentifier() and "=" in words[0]:
            words.pop(0)
        return await self.call(world, host, words, said) if words else Output()

    async def call(self, world: World, host: Host, words: list[str], said: Input = nothing) -> Output:
        """Run one program with its words; an option that the twin does not play is refused."""
        name = words[0].rpartition("/")[2] if words[0].startswith(_PATHS) else words[0]
        if name in ("sh", "bash") and words[1:2] == ["-c"] and len(words) == 3:
            return await self.run(world, host, words[2], said)
        program = self.programs.get(name)
        if program is None:
            return Output(stderr=f"bash: line 1: {words[0]}: command not found\n", status=127)
        if (options := self.options.get(name)) is not None and (wrong := unplayed(words[1:], options)):
            return Output(stderr=f"{name}: the twin does not play the option {wrong}\n", status=SYNTAX)
        return await program(Call(world, host, tuple(words[1:]), said))


def unplayed(words: list[str], options: frozenset[str]) -> str | None:
    """The first option that is none of these; letters may stand together (``-siH``), values behind or after."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return None
        if not word.startswith("-") or word == "-":
            continue
        name, equals, _ = word.partition("=")
        if name in options or (equals and f"{name}=" in options):
            continue
        if f"{name}=" in options:
            del rest[:1]
        elif word.startswith("--") or f"{word[:2]}=" not in options:
            letters = [f"-{letter}" for letter in word[1:]]
            if word.startswith("--") or not all(letter in options for letter in letters):
                return word
    return None
