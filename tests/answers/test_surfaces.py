"""Ten situations on four surfaces: page, a terminal of 80 columns, a notice and the board say the same answer.

Each names how urgent it is, the first thing to do with its command, what never to do, and the guests by name.
"""

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from rich.text import Text

from cluster.answers.advice import advice, answer, answers
from cluster.answers.model import Answer, together
from cluster.approval import ApprovalPolicy, Terms
from cluster.conditions import Condition
from cluster.gate import Gate
from cluster.memory import Memory
from cluster.notices import Notice
from cluster.plan import Intent, whole_digest
from cluster.watching import Beat
from tests.verdict.world import ARRAY_A, ARRAY_B, INVENTORY, NODES, OF, QDEVICE, A, B, World, healthy
from workers.cli.answered import answered
from workers.cli.board.app import drawn
from workers.cli.board.state import Board
from workers.cli.freshness import Freshness
from workflows.asking import of_gate, of_question
from workflows.ballot import GateView
from workflows.page import Question, Sheet, render

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def seen(world: World) -> Answer:
    """What the watch says of a world."""
    verdict = world.looks()
    found = together(answers(verdict, world.memory, INVENTORY))
    assert found is not None
    return found


def hosts_lost() -> World:
    """The article's test: all hosts of a site are off, and its array is on."""
    world = healthy().silent(*OF[A]).without(A).clients(*OF[B])
    return world.logins(*OF[B]).after(30)


def then_the_witness() -> World:
    world = healthy().dead(A)
    world.looks()
    return world.silent(QDEVICE).parts(OF[B]).after(30)


def given_up() -> World:
    return healthy().api(NODES, services={"vm:300": ("error", NODES[0]), "vm:301": ("started", NODES[1])})


def gate() -> Answer:
    planned = (Intent(where="pxmx01-01", what="bring home", target="vm:300"),)
    terms = Terms(
        cluster="pxmx-cluster", run="failback/pxmx-cluster", run_id="1", number=1, title="Bring 1 guest home",
        requester="ana", plan=whole_digest("failback/pxmx-cluster", planned), opened=NOW,
        until=NOW + timedelta(hours=12),
    )  # fmt: skip
    policy = ApprovalPolicy(needed=2, allowed_signers="signers")
    view = GateView.of(Gate(terms=terms, policy=policy, subject=terms.run, planned=planned))
    return of_gate("failback/pxmx-cluster", view)


def parked() -> Answer:
    question = Question(step="Pod is served", word="Rejected", message="out of LUNs", skip="nothing follows from it")
    return of_question("deploy/pxmx-cluster", question)


@dataclass(frozen=True)
class Case:
    """A situation: how it is made, and what every surface has to say of it."""

    name: str
    made: Callable[[], Answer]
    says: tuple[str, ...]


GUESTS = ("ac-test-vm-01 (300), seen on pxmx01-01",)
CASES = (
    Case("healthy", lambda: seen(healthy()), ("No action needed: All is well.",)),
    Case(
        "hosts lost, array on",
        lambda: seen(hosts_lost()),
        ("Watch: Site site-a is lost.", "Never start guests of site-a by hand", "quorate incident watch", *GUESTS),
    ),
    Case("site lost", lambda: seen(healthy().dead(A)), ("Watch: Site site-a is lost.", *GUESTS)),
    Case(
        "site lost, then the witness",
        lambda: seen(then_the_witness()),
        ("Act now: The quorum is lost.", "1. prove that pxmx01-01 (BMC 127.21.101.111:8443)", "two people together",
         "Never run pvecm expected", *GUESTS),
    ),
    Case(
        "parted with different winners",
        lambda: seen(healthy().cut(A, pod=B)),
        ("Act now: The quorum is at site-a, the disks are at site-b.", "power off pxmx01-01 (BMC 127.21.101.111:8443)",
         "two people together", "Never start guests by hand at either site", *GUESTS),
    ),
    Case(
        "array lost",
        lambda: seen(healthy().silent(ARRAY_A).copies([ARRAY_B], a="offline", replication="connecting")),
        (f"Act now: Array {ARRAY_A} is lost.", "Never move all guests to the other site"),
    ),
    Case(
        "a guest that HA has given up",
        lambda: seen(given_up()),
        ("Act now: HA has given up ac-test-vm-01 (300).", "ha-manager set vm:300 --state disabled",
         "Never start it outside HA"),
    ),
    Case(
        "gate open",
        gate,
        ("Decide by 2026-03-01 15:12 UTC: Bring 1 guest home: 0 of 2 approvals.", "except ana, who asks for it",
         "quorate approve failback/pxmx-cluster", "quorate reject failback/pxmx-cluster"),
    ),
    Case(
        "step parked",
        parked,
        ("Act now: Pod is served failed and waits for your answer.", "quorate answer deploy/pxmx-cluster retry",
         "or skip it: nothing follows from it"),
    ),
    Case(
        "witness lost",
        lambda: seen(healthy().silent(QDEVICE).views(NODES, device=False, total=6)),
        ("Act now: The witness qdevice (127.21.103.117) gives no vote.", "1. check the witness's host"),
    ),
)  # fmt: skip


def page(one: Answer) -> str:
    """As Temporal's UI shows it."""
    return render(Sheet(headline="x", now=one.head, answer=one))


def terminal(one: Answer) -> str:
    """As `quorate watch show` and `quorate status` print it, 80 columns wide."""
    console = Console(width=80, file=io.StringIO(), record=True)
    for text in [Text(one.head)] if one.urgency == "nothing" else answered(one):
        console.print(text)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= 80
    return shown


def notice(one: Answer) -> str:
    """As a chat or a mail has it."""
    sent = Notice(key="k", occasion="asked", cluster="c", incident="i", title=one.head, text="", at=NOW).answered(one)
    return f"{sent.title}\n{sent.body}"


def board(one: Answer) -> str:
    """As the board draws it, without its markup."""
    world = healthy()
    beat = Beat(verdict=world.looks(), memory=world.memory, looked_at=NOW, answers=(one,))
    fresh = Freshness("pxmx-cluster", watched=True, looked_at=NOW, beat=beat)
    return html.unescape(re.sub(r"<[^>]+>", " ", drawn(Board(cluster="pxmx-cluster", at=NOW, fresh=fresh))))


def words(text: str) -> str:
    """Letters and digits alone: a surface has its own marks, and wraps where it must."""
    return " ".join(re.sub(r"[*`\\]|\b\d+\.(?=\s)|⁠", " ", text).split()).lower()


SURFACES = {"page": page, "terminal": terminal, "notice": notice, "board": board}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("case", CASES, ids=[one.name for one in CASES])
def test_every_surface_says_the_same(case: Case, surface: str):
    """Whatever a person looks at first, they read what to do."""
    told = words(SURFACES[surface](case.made()))

    missing = [text for text in case.says if words(text) not in told]
    assert missing == [], told


@pytest.mark.parametrize("case", CASES, ids=[one.name for one in CASES])
def test_a_page_stays_small_and_a_notice_short(case: Case):
    """The page travels in a query string; a pager shows a few lines."""
    one = case.made()

    assert len(page(one).encode()) < 3000
    assert len(notice(one).splitlines()) < 14


def test_forty_guests_are_counted_and_no_node_is_left_out():
    """A title names the first of them; an order that names nodes names all of them, on the page too."""
    sids = tuple(f"vm:{number}" for number in range(300, 340))
    many = advice(Condition(kind="ha-error", where=sids), INVENTORY)
    every = answer(Condition(kind="quorum-lost", nodes=NODES), Memory(), INVENTORY)

    assert many.title.endswith("and 35 more")
    assert all(node.bmc and node.bmc.address in page(every) for node in INVENTORY.nodes)
