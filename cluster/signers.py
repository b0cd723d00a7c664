"""Who stands on the list of approvers: OpenSSH's ``allowed_signers``, read as `ssh-keygen -Y verify` reads it. Pure.

The first word of a line is a list of patterns (``*``, ``?``, ``!`` says no), which may stand in quotes. A line that
cannot be read says nothing about the others.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import ConfigDict

from cluster.nouns import Value

if TYPE_CHECKING:
    from cluster.approval import ApprovalPolicy


class Entry(Value):
    """One line: for whom it is, and what follows it, options and key."""

    principals: str
    rest: str

    def is_for(self, name: str) -> bool:
        """The line is for that person."""
        return listed_as((self.principals,), name)


class Signer(Value):
    """A key that may sign an approval now, and the patterns of those whom the list gives it to."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    principals: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that stand there in full: patterns and what is excluded name nobody."""
        words = [word for one in self.principals for word in one.split(",")]
        return tuple(dict.fromkeys(word for word in words if word and not set(word) & set("*?!")))


def entries(text: str) -> tuple[Entry, ...]:
    """The lines of a list, in its order; comments and empty lines are left out."""
    lines = (line.strip(" \t\r") for line in text.split("\n"))
    return tuple(_entry(line) for line in lines if line and not line.startswith("#"))


def _entry(line: str) -> Entry:
    if line.startswith('"') and (end := line.find('"', 1)) > 0:
        return Entry(principals=line[1:end], rest=line[end + 1 :].strip())
    words = re.split(r"[ \t]+", line, maxsplit=1)
    return Entry(principals=words[0], rest=words[1].strip() if len(words) > 1 else "")


def listed_as(principals: Iterable[str], name: str) -> bool:
    """One of these lists of patterns means that person: some pattern fits, and none with ``!`` does."""
    return any(_fits(one.split(","), name) for one in principals)


def _fits(patterns: Sequence[str], name: str) -> bool:
    if any(_like(pattern[1:], name) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_like(pattern, name) for pattern in patterns if not pattern.startswith("!"))


def _like(pattern: str, name: str) -> bool:
    """OpenSSH's match_pattern: ``*`` is any text, ``?`` any letter, and nothing else means anything else."""
    regular = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(regular, name, re.DOTALL) is not None


def persons(signers: Iterable[Signer]) -> list[set[str]]:
    """The people behind these keys, as far as the list tells: two keys that share a name are one person's.

    A key of which the list names nobody in full, only a pattern, is one person, called by its fingerprint.
    """
    found: list[set[str]] = []
    for signer in signers:
        ours = set(signer.names) or {signer.fingerprint}
        shared = [person for person in found if person & ours]
        found = [person for person in found if not person & ours] + [ours.union(*shared)]
    return found


def too_few(policy: "ApprovalPolicy", signers: Iterable[Signer], requester: str) -> str:
    """What the list lacks so that a gate could ever open, with the remedy; empty when it has enough people."""
    able = persons(one for one in signers if not listed_as(one.principals, requester))
    besides = f" besides {requester}, who requested the run" if requester else ""
    if len(able) < policy.needed:
        return (
            f"approvals.needed is {policy.needed}, and the list of approvers has {len(able)}{besides}: "
            "add lines to approvals.allowed_signers, or lower approvals.needed"
        )
    for role, count in policy.per_role.items():
        there = sum(any(role in policy.roles_of(name) for name in person) for person in able)
        if there < count:
            return (
                f"approvals.per_role asks for {count} of {role}, and the list of approvers has {there}{besides}: "
                f"add lines to approvals.allowed_signers, or people to approvals.roles.{role}"
            )
    return ""
