"""What runs, people and the ledger itself ask and answer: the models that pass between them. Pure.

A run's step asks with a wish, its activity adds which run it is, and the ledger's workflow is told that.
"""

from pydantic import Field

from cluster.ledger import Book, RunRef
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.recovery import Frozen


class TakeWish(Value):
    """Switches that this run is about to turn off, and why; taken before the first of them is touched."""

    cluster: str
    why: str
    switches: tuple[Frozen, ...] = ()


class GiveBackWish(Value):
    """The switches of the run that asks are needed no more: all, or those of these names; `leaves`: it ends soon."""

    cluster: str
    names: tuple[str, ...] | None = None
    leaves: bool = True


class HomesWish(Value):
    """Where guests belong, and where HA brought them if that is known: guest to node.

    `rested` are nodes that are in maintenance already, `emptied` those that the run is about to put into it.
    """

    cluster: str
    homes: dict[str, str] = Field(default_factory=dict)
    recovered: dict[str, str] = Field(default_factory=dict)
    rested: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()


class SiteWish(Value):
    """Guests whose home is at this site."""

    cluster: str
    site: str


class AtHomeWish(Value):
    """Guests that were seen running at home."""

    cluster: str
    sids: tuple[str, ...]


class NoteWish(Value):
    """A site that is lost, or one whose quarantine has held."""

    cluster: str
    lost: str | None = None
    released: str | None = None


class PresentWish(Value):
    """The run that asks is at work; its workflow type and ids are known from where it asks.

    `was` is the run id of the execution that it goes on from, where that has continued as new.
    """

    cluster: str
    site: str = ""
    mode: str = ""
    was: str = ""


class BookWish(Value):
    """A cluster's ledger."""

    cluster: str


class BookFinding(Finding):
    """The ledger as it stands."""

    book: Book


class HomesFinding(Finding):
    """Guests whose home is at the site: guest to node, where HA has brought each, and which runs recorded them.

    `emptied` are the site's nodes that runs of planned work have put into maintenance, `rested` those that they found
    in it. Both are empty where no such run is on record. `trace` is that of the last of the runs, while Temporal
    has it.
    """

    site: str
    homes: dict[str, str] = Field(default_factory=dict)
    recovered: dict[str, str] = Field(default_factory=dict)
    runs: tuple[str, ...] = ()
    trace: str = ""
    rested: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()


class GivenBack(Finding):
    """What is back as it was, and what is not and why. Both concern only the switches that the run held."""

    restored: tuple[Frozen, ...] = ()
    outstanding: dict[str, str] = Field(default_factory=dict)


class LedgerRequest(Value):
    """What a ledger is started with; `book` is what its earlier life knew. `speed`: the cluster's time against ours."""

    cluster: str
    book: Book | None = None
    speed: float = 1.0


class Taking(Value):
    """A take, with the run that asks."""

    by: RunRef
    why: str
    switches: tuple[Frozen, ...]


class GivingBack(Value):
    """A give-back, with the run that asks."""

    by: RunRef
    names: tuple[str, ...] | None = None
    leaves: bool = True


class Recording(Value):
    """Homes and nodes in maintenance, with the run that asks."""

    by: RunRef
    homes: dict[str, str] = Field(default_factory=dict)
    recovered: dict[str, str] = Field(default_factory=dict)
    rested: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    at_home: tuple[str, ...] = ()


class Noting(Value):
    """A site lost or released, a run at work or leaving; with the run that says so."""

    by: RunRef
    lost: str | None = None
    released: str | None = None
    kind: str = ""
    site: str = ""
    mode: str = ""
    was: str = ""
    leaves: bool = False


class Forgetting(Value):
    """A person takes a switch or a guest's home out of the ledger, and says why."""

    name: str
    by: str = Field(min_length=1)
    why: str = Field(min_length=1)
    home: bool = False


class LookWish(Value):
    """How do things stand? With `must` an answer that lacks something is an error: nothing is concluded from it."""

    book: Book
    must: bool = False


class RestoreWish(Value):
    """Switches to be turned on, by `key_text`; each is judged once more right before."""

    book: Book
    keys: tuple[str, ...]


class RestoreFinding(Finding):
    """What each came to, by `key_text`: `settled` need nothing more, `held` are still off and why."""

    settled: dict[str, str] = Field(default_factory=dict)
    held: dict[str, str] = Field(default_factory=dict)
