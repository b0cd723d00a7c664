"""What the Temporal server tells that runs are kept on. Pure."""

from datetime import timedelta

from cluster.doctor.check import About, Check, Unread
from cluster.nouns import Value
from cluster.units import counted


class TemporalTold(Value):
    """What was asked of the server at `address`. `named`: a person has named it; else it is where `up` starts one.

    `missing` are search attributes, `workers` those that poll the queue.
    """

    address: str
    namespace: str
    queue: str
    named: bool
    silence: str = ""
    kept: timedelta | Unread | None = None
    missing: tuple[str, ...] | Unread | None = None
    workers: int | Unread | None = None


def temporal(told: TemporalTold, long: timedelta) -> list[Check]:
    """The server, its namespace, and who works there. `long` is for how long ended runs should be kept."""
    server = About(area="temporal", subject="Temporal", what="server")
    if told.silence:
        if not told.named:
            return [server.later("none runs yet at this machine", "quorate up starts one, with a worker")]
        return [
            server.wrong(
                f"{told.silence}, so nothing else of it is known",
                "correct TEMPORAL_ADDRESS or the profile; quorate up starts one of its own",
            )
        ]
    answers = server.ok(f"answers at {told.address}")
    return [answers, _namespace(told, long), _attributes(told), _workers(told)]


def _namespace(told: TemporalTold, long: timedelta) -> Check:
    about = About(area="temporal", subject="Temporal", what="namespace")
    if told.kept is None:
        return about.unknown("it was not asked")
    if isinstance(told.kept, Unread):
        if told.kept.word == "NotFound":
            return about.wrong(
                f"there is no namespace {told.namespace}",
                f"temporal operator namespace create --retention {long.days}d -n {told.namespace}",
            )
        return about.unread(told.kept)
    if told.kept < long:
        return about.wrong(
            f"{told.namespace} deletes runs {counted(told.kept.days, 'day')} after their end, "
            "before an auditor asks for them",
            f"temporal operator namespace update --retention {long.days}d -n {told.namespace}",
        )
    return about.ok(f"{told.namespace}, ended runs are kept for {told.kept.days} days")


def _attributes(told: TemporalTold) -> Check:
    about = About(area="temporal", subject="Temporal", what="search attributes")
    if told.missing is None:
        return about.unknown("it was not asked")
    if isinstance(told.missing, Unread):
        return about.unread(told.missing)
    if told.missing:
        return about.later(f"{', '.join(told.missing)} missing", "a worker registers them when it starts")
    return about.ok("all registered")


def _workers(told: TemporalTold) -> Check:
    about = About(area="temporal", subject="Temporal", what="workers")
    if told.workers is None:
        return about.unknown("it was not asked")
    if isinstance(told.workers, Unread):
        return about.unread(told.workers)
    if not told.workers:
        return about.later(f"none polls the queue {told.queue}", "quorate up, or quorate worker --at PLACE")
    return about.ok(f"{counted(told.workers, 'worker polls', 'workers poll')} the queue {told.queue}")
