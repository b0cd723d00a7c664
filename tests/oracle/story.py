"""What one side has told: each service's states with their times, who was fenced, and how it ended."""

from dataclasses import dataclass, field

# Seconds by which a change may come earlier or later: the simulator's rounds are 20 s long, the twin's network takes
# some to notice, and its guests to start and to move.
DIFFERS = 60.0
# What the log of the simulator tells of a service that is new to HA.
NEW = "added"


@dataclass
class Story:
    """Changes are those at the end of a round: what a state turns into within the same round is not told."""

    fenced: list[str] = field(default_factory=list)
    ends: dict[str, tuple[str, str]] = field(default_factory=dict)  # sid -> state, node
    _began: dict[int, float] = field(default_factory=dict)
    _changes: list[tuple[float, str, str]] = field(default_factory=list)

    def begins(self, step: int, at: float) -> None:
        """A step's acts are done now."""
        self._began[step] = at

    def changed(self, sid: str, state: str, at: float) -> None:
        """A service has another state."""
        self._changes = [one for one in self._changes if one[:2] != (at, sid)]
        self._changes.append((at, sid, state))

    def of(self, step: int, sid: str) -> list[tuple[float, str]]:
        """A service's changes in one step, with the seconds after its acts."""
        since = self._began[step]
        until = self._began.get(step + 1, float("inf"))
        found: list[tuple[float, str]] = []
        for at, which, state in sorted(self._changes, key=lambda one: one[0]):
            if which == sid and since <= at < until and (not found or found[-1][1] != state):
                found.append((at - since, state))
        return found


def differences(original: Story, ours: Story, steps: int) -> list[str]:
    """In a sentence each; empty when both tell the same."""
    said = []
    for sid in sorted(original.ends.keys() | ours.ends.keys()):
        for step in range(steps):
            theirs, mine = original.of(step, sid), ours.of(step, sid)
            if not _alike([state for _, state in theirs], [state for _, state in mine]):
                said.append(f"step {step + 1}, {sid}: original {_told(theirs)}, twin {_told(mine)}")
            elif late := [one for one in zip(theirs, mine, strict=True) if abs(one[0][0] - one[1][0]) > DIFFERS]:
                (at, state), (when, _) = late[0]
                said.append(f"step {step + 1}, {sid}: {state} after {at:.0f} s, twin after {when:.0f} s")
        if original.ends.get(sid) != ours.ends.get(sid):
            said.append(f"{sid} ends as {original.ends.get(sid)}, twin {ours.ends.get(sid)}")
    if sorted(original.fenced) != sorted(ours.fenced):
        said.append(f"fenced: {sorted(original.fenced)}, twin {sorted(ours.fenced)}")
    return said


def _alike(theirs: list[str], mine: list[str]) -> bool:
    """The same states. The simulator's log says that a service was added, and not that it is asked to start or stop."""
    asked = ("request_start", "request_stop")
    return len(theirs) == len(mine) and all(
        one == other or (one == NEW and other in asked) for one, other in zip(theirs, mine, strict=True)
    )


def _told(changes: list[tuple[float, str]]) -> str:
    return " → ".join(f"{state}@{at:.0f}" for at, state in changes) or "nothing"
