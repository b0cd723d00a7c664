"""When something was, written the same on every surface: by the clock of the wall in UTC, and counted from T0 (T+).

T+ runs in the cluster's own time, which is that of the wall unless a rehearsal runs faster.
"""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict


def clock(length: timedelta) -> str:
    """A length to the nearest second; hours and days where there are any: ``02:05``, ``1:02:05``, ``3 d 1:02:05``."""
    minutes, rest = divmod(max(0, round(length.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours or days else f"{minutes:02d}:{rest:02d}"
    return f"{days} d {text}" if days else text


def clock_of(seconds: float) -> str:
    """The same of seconds: ``02:50``."""
    return clock(timedelta(seconds=seconds))


def t_plus(seconds: float) -> str:
    """So many seconds after T0, marked as what it is: ``T+02:50``."""
    return f"T+{clock_of(seconds)}"


class Times(BaseModel):
    """The two clocks of a run. Its steps count from `t0` by the wall; T+ runs `speed` times as fast."""

    model_config = ConfigDict(frozen=True)

    t0: datetime
    speed: float = 1.0

    def moment(self, at: timedelta) -> datetime:
        """That time of the wall."""
        return self.t0 + at

    def utc(self, at: timedelta) -> str:
        """``03:15:18``; on another day than T0 with its date, ``03-02 03:15:18``."""
        return utc(self.moment(at), self.t0)

    def seconds(self, at: timedelta) -> float:
        """T+ in seconds of the cluster's own time."""
        return at.total_seconds() * self.speed

    def both(self, seconds: float) -> str:
        """A time of so many T+ seconds on both clocks: ``03:15:18 UTC (T+02:50)``."""
        return f"{self.utc(self.wall(seconds))} UTC ({t_plus(seconds)})"

    def between(self, first: float, last: float) -> str:
        """The same of two: ``between 03:15:23 and 03:16:06 UTC (T+02:55 to 03:38)``."""
        begin, end = self.utc(self.wall(first)), self.utc(self.wall(last))
        return f"between {begin} and {end} UTC ({t_plus(first)} to {clock_of(last)})"

    def wall(self, seconds: float) -> timedelta:
        """So many T+ seconds, by the wall."""
        return timedelta(seconds=seconds / self.speed)


def utc(when: datetime, beside: datetime) -> str:
    """The time of day in UTC; with its date unless that is the date of `beside`."""
    when = when.astimezone(UTC)
    same = when.date() == beside.astimezone(UTC).date()
    return f"{when:%H:%M:%S}" if same else f"{when:%m-%d %H:%M:%S}"
