"""One command line taken apart as bash would, as far as the twin plays it; all else is refused by name.

Played: words with quotes, commands joined by ``;``, ``&&``, ``||`` and line ends, output to /dev/null or to stderr.
Refused: pipes, other files, background, groups, and whatever bash would expand: variables, substitutions, patterns.
"""

import re
import shlex
from dataclasses import dataclass, field

# What bash ends with when it cannot read a line.
SYNTAX = 2


class Unplayed(Exception):
    """The line needs more of a shell than the twin has."""


@dataclass
class Part:
    """One command: how it is joined to those before it, its words, and where its output goes (1 and 2, or None)."""

    joint: str = ""
    words: list[str] = field(default_factory=list)
    out: int | None = 1
    err: int | None = 2

    @property
    def text(self) -> str:
        """The command as one could type it."""
        return shlex.join(self.words)


_REDIRECT = re.compile(r"(?P<fd>\d?)(?:(?P<dup>>&)(?P<to>\d)|(?P<both>&>|>&)|(?P<way>>>|>|<))[ \t]*")
_TARGET = re.compile(r"[^\s;&|<>()]*")
_PLAIN = re.compile(r"[^\s'\"\\$`;&|<>()*?{~#]+")
_EXPANDED = re.compile(r"\$[A-Za-z_0-9{(@*#?!$-]|`")
_BRACES = re.compile(r"\{[^\s{}]*(,|\.\.)[^\s{}]*\}")


def split(line: str) -> list[Part]:
    """The commands of a line in their order; ValueError for a quote that is not closed."""
    return _Reader(line).parts()


class _Reader:
    def __init__(self, line: str) -> None:
        self._line, self._at = line, 0
        self._found = [Part()]
        self._word: str | None = None

    def parts(self) -> list[Part]:
        while self._at < len(self._line):
            self._step()
        self._end_word()
        return [part for part in self._found if part.words]

    def _step(self) -> None:
        line, at = self._line, self._at
        redirect = _REDIRECT.match(line, at) if self._word is None or line[at] in "<>&" else None
        joint = re.compile(r"&&|\|\||;|\n").match(line, at)
        if redirect:
            self._redirect(redirect)
        elif joint:
            self._end_word()
            self._found.append(Part(";" if joint[0] == "\n" else joint[0]))
            self._at = joint.end()
        elif line[at] in " \t\r":
            self._end_word()
            self._at += 1
        elif line[at] == "#" and self._word is None:
            self._at = line.find("\n", at) if "\n" in line[at:] else len(line)
        else:
            self._more_of_a_word(line[at])

    def _more_of_a_word(self, letter: str) -> None:
        line, at = self._line, self._at
        plain = _PLAIN.match(line, at)
        if plain:
            self._add(plain[0], plain.end())
        elif letter == "'":
            end = line.find("'", at + 1)
            if end < 0:
                raise ValueError("unexpected EOF while looking for matching `''")
            self._add(line[at + 1 : end], end + 1)
        elif letter == '"':
            self._quoted()
        elif letter == "\\":
            self._add(line[at + 1 : at + 2].replace("\n", ""), at + 2)
        elif letter in "|&()":
            raise Unplayed({"|": "pipes", "&": "jobs in the background"}.get(letter, "subshells"))
        elif _EXPANDED.match(line, at):
            raise Unplayed("variables and substitutions")
        elif letter in "*?" or _BRACES.match(line, at) or (letter == "~" and self._word is None):
            raise Unplayed("patterns")
        else:
            self._add(letter, at + 1)

    def _quoted(self) -> None:
        """Between double quotes a backslash keeps only what it is needed before."""
        text, at = "", self._at + 1
        while self._line[at : at + 1] != '"':
            letter = self._line[at : at + 1]
            if not letter:
                raise ValueError("unexpected EOF while looking for matching `\"'")
            if _EXPANDED.match(self._line, at):
                raise Unplayed("variables and substitutions")
            if letter == "\\" and self._line[at + 1 : at + 2] in tuple('"\\$`'):
                letter, at = self._line[at + 1], at + 1
            text, at = text + letter, at + 1
        self._add(text, at + 1)

    def _add(self, text: str, end: int) -> None:
        self._word = (self._word or "") + text
        self._at = end

    def _end_word(self) -> None:
        if self._word is not None:
            self._found[-1].words.append(self._word)
            self._word = None

    def _redirect(self, found: re.Match[str]) -> None:
        """``>/dev/null``, ``2>&1`` and their like; where output goes is settled from left to right."""
        self._end_word()
        part, self._at = self._found[-1], found.end()
        if found["dup"]:
            to = {"1": part.out, "2": part.err}.get(found["to"], 0)
            if to == 0:
                raise Unplayed(f"output to {found[0].strip()}")
        else:
            target = _TARGET.match(self._line, self._at)
            if target is None or target[0] != "/dev/null":
                raise Unplayed("files that commands read from or write to")
            self._at, to = target.end(), None
        if found["way"] == "<":
            return
        if found["both"] or found["fd"] in ("", "1"):
            part.out = to
        if found["both"] or found["fd"] == "2":
            part.err = to
