"""What `quorate trace` shows: the newest traces, one of them, or how many of its spans a receiver has taken."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from cluster.spans.model import Span
from cluster.spans.tree import Tree
from cluster.units import counted
from cluster.visible import visible
from workers.cli.options import out
from workers.cli.trace.drawing import CRITICAL, NANO, View, day, stretches, took
from workers.cli.trace.sending import send
from workers.errors import Unusable
from workers.settings import Settings
from workers.telemetry.encoding import readable
from workers.telemetry.store import Listed, Store

LISTED = 20
# Of a beginning that several runs share, and of other traces that a trace names.
NAMED = 5


def show(run: str | None, *, whole: bool, endpoint: str | None, as_json: bool) -> None:
    """Print what is wanted. Unusable where nothing is kept, or another trace may be meant."""
    store = _store()
    try:
        if run is None:
            if endpoint is not None:
                raise Unusable("--send needs a run", "`quorate trace` lists what there is")
            _list(store.newest(LISTED, runs=not whole), as_json=as_json)
            return
        chosen, earlier = _chosen(store, run)
        if endpoint is not None:
            _send(store, chosen, endpoint, as_json=as_json)
            return
        view = View(Tree(readable(store.spans(chosen.trace))), whole=whole)
        led_to = [known for one in store.led_to(chosen.trace) for known in store.found(one)]
        caused_by = list(_causes(store, view.tree, chosen.trace))
    except sqlite3.Error as error:
        raise Unusable(f"traces cannot be read from {store.path}: {error}", "see that the file can be read") from error
    if as_json:
        out.print_json(data=_data(chosen, view, caused_by, led_to))
        return
    _draw(chosen, view, caused_by, led_to, earlier)


def _store() -> Store:
    settings = Settings()
    store = Store(settings.state, read_only=True)
    if not store.path.exists():
        raise Unusable(
            f"no traces are kept in {settings.state}",
            "name the state folder of the worker with QUORATE_STATE; a worker with QUORATE_TRACES=off keeps none",
        )
    return store


def _chosen(store: Store, word: str) -> tuple[Listed, list[Listed]]:
    """The trace that is meant, and older ones of the same run; Unusable where several runs are."""
    found = store.found(word)
    if not found:
        newest = [_meant(one) for one in store.newest(NAMED, runs=True)]
        raise Unusable(
            f"no trace of {word} is kept", f"the newest are {', '.join(newest) or 'none'}; see `quorate trace`"
        )
    if len({one.workflow or one.trace for one in found}) > 1:
        several = ", ".join(_meant(one) for one in found[:NAMED])
        raise Unusable(f"{word} is the beginning of {len(found)} traces", f"write more of the one you mean: {several}")
    return found[0], found[1:]


def _meant(one: Listed) -> str:
    """What to type to get it."""
    return one.workflow or one.trace


def _named(one: Listed) -> str:
    """What it is called."""
    return one.workflow or one.name


def _list(newest: list[Listed], *, as_json: bool) -> None:
    if as_json:
        out.print_json(data=[_listed(one) for one in newest])
        return
    if not newest:
        out.print("no traces are kept yet")
        return
    for one in newest:
        going = f", {one.spans - one.ended} under way" if one.spans > one.ended else ""
        said = Text(f"{day(one.start)}  {one.trace[:8]}  ", style="dim").append(_named(one), style="default")
        said.append(f"  {took(one.newest - one.start)}, {counted(one.spans, 'span')}{going}", style="dim")
        out.print(said, soft_wrap=True)


def _draw(
    chosen: Listed, view: View, caused_by: list[Listed | str], led_to: list[Listed], earlier: list[Listed]
) -> None:
    tree = view.tree
    out.print(Text(visible(_named(chosen)), style="bold"), soft_wrap=True)
    out.print(Text(f"trace {chosen.trace}"))
    took_so_far = f"{took(tree.until - tree.start)}{' so far' if tree.under_way else ''}"
    out.print(Text(f"began {day(tree.start)}, {took_so_far}, {counted(len(tree.spans), 'span')}"))
    for line in _remarks(view, earlier):
        out.print(Text(line, style="yellow"))
    for label, others in (("caused by", caused_by), ("led to", led_to)):
        for one in others[:NAMED]:
            out.print(Text(visible(f"{label} {_elsewhere(one)}")), soft_wrap=True)
        if len(others) > NAMED:
            out.print(f"{label} {counted(len(others) - NAMED, 'other trace')}")
    out.print()
    for row in view.rows():
        out.tell(row)
    out.print()
    out.print(f"{CRITICAL} is on the critical path: what the end was waiting for", markup=False)
    out.print()
    out.print("Where the time went")
    out.print(view.table())


def _remarks(view: View, earlier: list[Listed]) -> Iterator[str]:
    if going := view.tree.under_way:
        have = "has" if len(going) == 1 else "have"
        yield f"{counted(len(going), 'span')} {have} not ended: the run goes on, or was terminated"
    if alone := view.tree.orphans:
        yield (
            f"{counted(len(alone), 'span stands', 'spans stand')} alone: what is above has not ended, "
            "or is kept by another worker"
        )
    if earlier:
        yield f"the run before it of that name: quorate trace {earlier[0].trace[:8]}"


def _elsewhere(one: Listed | str) -> str:
    if isinstance(one, str):
        return f"trace {one}, which is not kept here"
    return f"{_named(one)} (quorate trace {one.trace[:8]})"


def _causes(store: Store, tree: Tree, own: str) -> Iterator[Listed | str]:
    """The traces that this one follows from; of one that is not kept here its id."""
    for other in dict.fromkeys(tie.trace for span in tree.spans.values() if not span.message for tie in span.ties):
        if other != own:
            known = store.found(other)
            yield known[0] if known else other


def _send(store: Store, chosen: Listed, endpoint: str, *, as_json: bool) -> None:
    done = send(store.spans(chosen.trace), endpoint)
    if as_json:
        out.print_json(data={"trace": chosen.trace, **done.model_dump()})
        return
    left = f"; {counted(done.under_way, 'span')} under way: send again later" if done.under_way else ""
    whole = counted(done.sent + done.under_way, "span")
    out.print(f"{done.sent} of {whole} sent to {done.endpoint}{left}", soft_wrap=True)


def _listed(one: Listed) -> dict[str, Any]:
    return {
        "trace": one.trace,
        "run": one.workflow or None,
        "name": one.name,
        "began": day(one.start),
        "seconds": (one.newest - one.start) / NANO,
        "spans": one.spans,
        "under_way": one.spans - one.ended,
    }


def _data(chosen: Listed, view: View, caused_by: list[Listed | str], led_to: list[Listed]) -> dict[str, Any]:
    return _listed(chosen) | {
        "caused_by": [{"trace": one} if isinstance(one, str) else _listed(one) for one in caused_by],
        "led_to": [_listed(one) for one in led_to],
        "spent": [
            {
                "what": row.what,
                "doing": row.doing,
                "where": row.where or None,
                "spans": row.spans,
                "own_seconds": row.own / NANO,
                "critical_seconds": row.critical / NANO,
            }
            for row in view.spent
        ],
        "critical_path": stretches(view.path, view.tree),
        "tree": [_span(span, view) for span in view.tree.roots],
    }


def _span(span: Span, view: View) -> dict[str, Any]:
    return {
        "id": span.id,
        "name": span.name,
        "start_ns": span.start,
        "end_ns": span.end,
        "failed": span.failed,
        "word": span.word or None,
        "critical": span.id in view.critical,
        "attributes": span.attributes,
        "events": [moment.model_dump() for moment in span.moments],
        "links": [tie.model_dump() for tie in span.ties],
        "children": [_span(child, view) for child in view.tree.children(span)],
    }
