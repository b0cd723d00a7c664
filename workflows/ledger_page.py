"""The page of a cluster's ledger: what is off and what holds it back, who belongs where, who is at work."""

from datetime import datetime

from cluster.ledger import Book, Entry, Rest
from workflows.page import safe

SHOWN = 20


def render_ledger(book: Book) -> str:
    """As Markdown, below the 3 KB that Temporal's UI shows in full for an ordinary cluster."""
    head = f"### Ledger of {safe(book.cluster)}\n\n**{_sentence(book)}**\n\n"
    parts = [_switches(book), _homes(book), _around(book), _happened(book)]
    looked = f"\nCompared with the cluster at {_at(book.looked)}.\n" if book.looked else ""
    trouble = f"\nThe last comparison failed: {safe(book.trouble)}\n" if book.trouble else ""
    return head + "".join(part for part in parts if part) + trouble + looked


def _sentence(book: Book) -> str:
    if not book.switches:
        return "No automatic move is disabled. No action needed."
    held = [entry for entry in book.switches if entry.holders]
    if len(held) == len(book.switches):
        return f"{len(held)} disabled while {safe(held[0].holders[0].run)} is running. No action needed."
    free = len(book.switches) - len(held)
    return f"{free} of {len(book.switches)} still disabled, although no run needs it: see *Held back by*."


def _switches(book: Book) -> str:
    if not book.switches:
        return ""
    rows = "".join(map(_row, book.switches[:SHOWN]))
    more = f"\nand {len(book.switches) - SHOWN} more: `quorate switches` lists all.\n" if _more(book) else ""
    return f"| Disabled | Was | Since | By, why | Held back by |\n| --- | --- | --- | --- | --- |\n{rows}{more}\n"


def _more(book: Book) -> bool:
    return len(book.switches) > SHOWN


def _row(entry: Entry) -> str:
    one = entry.switch
    what, by = f"{one.name} {one.field}", f"{entry.by}: {entry.why}"
    held = f"{entry.holders[0].run} needs it disabled" if entry.holders else entry.held_back or "not compared yet"
    return f"| {safe(what)} | {safe(one.old)} | {_at(entry.since)} | {safe(by)} | {safe(held)} |\n"


def _homes(book: Book) -> str:
    if not book.homes:
        return ""
    shown = list(book.homes.values())[:SHOWN]
    said = ", ".join(f"{home.sid} at {home.node}" for home in shown)
    more = f" and {len(book.homes) - SHOWN} more" if len(book.homes) > SHOWN else ""
    return f"Homes on record: {safe(said, 1000)}{more}\n\n"


def _around(book: Book) -> str:
    lines = [f"- {safe(one.site)} is lost since {_at(one.since)} ({safe(one.by.run)})\n" for one in book.lost.values()]
    lines += [f"- {safe(one.node)} is in maintenance, {_whose(one)}\n" for one in book.rests.values()]
    lines += [f"- running: {safe(one.run)} {safe(one.mode)}\n" for one in book.present]
    return "".join(lines) + ("\n" if lines else "")


def _whose(one: Rest) -> str:
    return f"put there by {safe(one.by.run)}" if one.ours else f"since before {safe(one.by.run)}: no run releases it"


def _happened(book: Book) -> str:
    lines = [f"- {_at(one.at)} {safe(one.text)}\n" for one in reversed(book.happened[-5:])]
    return "Recent:\n\n" + "".join(lines) if lines else ""


def _at(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
