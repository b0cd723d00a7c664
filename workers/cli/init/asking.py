"""What a person at a terminal is asked: what no option says, and no device. Each answer is checked before the next."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError

from cluster.nouns import OwnName
from workers.cli.init.asked import FILES as PATHS
from workers.cli.init.asked import REFERENCES, Asked, option, readable
from workers.cli.init.choice import at_sites
from workers.cli.init.defaults import ENGINE, SITES, THIRD
from workers.cli.init.draft import Document, Open, filled, left_open
from workers.cli.init.reading import endpoint
from workers.cli.init.seen import SeenArray, SeenCluster
from workers.cli.init.sites import Halves, Proposal
from workers.cli.options import err
from workers.cli.references import secret_of
from workers.errors import Unusable

QUESTIONS = {
    "pve": "Proxmox VE, any node (https://ADDRESS:8006)",
    "pve_token_id": "Name of its API token",
    "pve_token": "Its secret (env:NAME or file:PATH)",
    "pve_ca": "PEM file that signs the nodes' certificates (empty: this machine's own authorities)",
    "array_a": "FlashArray of the first site (https://ADDRESS)",
    "array_a_token": "Its API token",
    "array_b": "FlashArray of the second site",
    "array_b_token": "Its API token",
    "array_ca": "PEM file that signs the arrays' certificates (empty: this machine's own authorities)",
    "witness": "Witness, ADDRESS or NAME=ADDRESS (empty: the cluster's quorum device, or nodes at a third place)",
    "ssh_key": "Root's private key on all hosts (file:PATH; empty: fill in later)",
    "known_hosts": "File with the hosts' keys (empty: fill in later)",
}
OPTIONAL = {"pve_token_id": ENGINE} | dict.fromkeys(("pve_ca", "array_ca", "witness", "ssh_key", "known_hosts"), "")


def answer(question: str, check: Callable[[str], object], default: str | None = None) -> str:
    """An answer that passes the check, whose errors are told before it is asked again."""
    while True:
        given: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
        try:
            check(given := _at_home(given.strip()))
        except Unusable as error:
            err.print(f"{error.what}; {error.remedy}", style="yellow", markup=False, soft_wrap=True)
        else:
            return given


def _at_home(text: str) -> str:
    """With ``~`` written out, as a shell does it for what is typed as an option."""
    kind, path = ("file:", text[5:]) if text.startswith("file:") else ("", text)
    return f"{kind}{Path(path).expanduser()}" if path.startswith("~/") else text


def asked_by_hand(asked: Asked) -> Asked:
    """The options with what the person says in place of those that were not given."""
    _tell("Where the cluster and its arrays are; a secret stays where it is: env:NAME or file:PATH.")
    said: dict[str, Any] = {}
    for name, question in QUESTIONS.items():
        if getattr(asked, name) is None and not (name == "witness" and asked.nodes_c):
            given = answer(question, _leads_somewhere(asked, name), OPTIONAL.get(name))
            said[name] = (Path(given) if name in PATHS else given) if given else None
    asked = replace(asked, **said)
    _tell(f"the same without these questions: {asked.line}")
    _tell("reading the cluster and both arrays")
    return asked


def _leads_somewhere(asked: Asked, name: str) -> Callable[[str], None]:
    """What an answer has to be: an address, a reference that leads to a secret, a file; optional ones may be empty."""

    def check(text: str) -> None:
        if not text and name in OPTIONAL:
            return
        if name in REFERENCES:
            secret_of(option(name), text, asked.secrets)
        elif name in PATHS:
            readable(option(name), Path(text))
        elif name != "pve_token_id":
            endpoint(option(name), text.rpartition("=")[2])

    return check


def confirmed_sites(
    proposal: Proposal | None,
    cluster: SeenCluster,
    arrays: Sequence[SeenArray],
    third: Sequence[str],
    named: Callable[[str], Halves],
) -> Halves:
    """The nodes of the sites as the person has confirmed or named them."""
    names = at_sites(cluster, third)
    if third:
        _tell(f"at a third place: {', '.join(third)}")
    if proposal is not None:
        for array, half in zip(arrays, proposal.halves, strict=True):
            _tell(f"beside {array.name}: {', '.join(half)}")
        _tell(f"from {proposal.why}")
        if typer.confirm("Are these the sites?", default=proposal.sure, err=True):
            return proposal.halves
    _tell(f"The nodes are {', '.join(names)}.")
    return named(answer(f"Which of them stand beside {arrays[0].name}", named))


def named_sites(asked: Asked, arrays: Sequence[SeenArray], third: Sequence[str] = ()) -> Asked:
    """The options with the sites' names, and that of a third place, as the person has them."""
    check = partial(_fits, Open("", OwnName))
    first, second = (
        given or answer(f"Name of the site with {array.name}", check, default)
        for given, array, default in zip((asked.site_a, asked.site_b), arrays, SITES, strict=True)
    )
    other = asked.site_c
    if third and other is None:
        other = answer(f"Name of the third place, with {', '.join(third)}", check, THIRD)
    return replace(asked, site_a=first, site_b=second, site_c=other)


def filled_by_hand(made: Document) -> Document:
    """The document with what the person knows; an empty answer leaves the value open."""
    open_ones = left_open(made)
    if open_ones:
        _tell("What no device tells. Enter takes what stands in brackets; where none stand, it leaves the value open.")
    values: dict[tuple[str | int, ...], Any] = {}
    before: dict[str, str] = {}  # what was said to the same question
    for place, one in open_ones.items():
        question = f"{_dotted(place)} ({one.hint})"
        given = answer(question, partial(_fits, one), before.get(one.hint, one.proposal))
        before[one.hint] = given
        if given:
            values[place] = int(given) if given.isdigit() else given
    document: Document = filled(made, values)
    return document


def _tell(line: str) -> None:
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def _fits(one: Open, text: str) -> None:
    if not text:
        return
    try:
        TypeAdapter(one.kind).validate_python(text)
    except ValidationError as error:
        raise Unusable(error.errors()[0]["msg"].removeprefix("Value error, "), "try again, or leave it empty") from None


def _dotted(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
