"""From answers to a bundle that may leave the house; what cannot be made nameless is not written at all."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import yaml

from activities.clients.masks import MASKS, forms
from cluster.inventory import Inventory
from cluster.portals import chosen
from cluster.probing.bundle import Bundle, entries, manifest
from cluster.probing.cleaning import Answer, Cleaning
from cluster.probing.leaks import leaks
from cluster.probing.references import referring
from cluster.units import counted
from workers.errors import Unusable

_HEAD = "# The inventory of a probe: names and addresses stand for others, secrets are referred to and nowhere.\n"


def bundled(inventory: Inventory, answers: Sequence[Answer], words: Sequence[str] = ()) -> Bundle:
    """The bundle of these answers; Unusable when a name or a secret is left in it. `words` may stay (`leaks`)."""
    cleaning, plain = Cleaning(), _plain(inventory, answers)
    cleaning.note(answers, plain)
    cleaned = tuple(sorted(map(cleaning.answer, answers), key=_place))
    told = _HEAD + yaml.safe_dump(referring(cleaning.inventory(plain)), sort_keys=False)
    about = manifest(cleaned, cleaning.dropped.counts, version("quorate"))
    bundle = Bundle(manifest=about, inventory=told, answers=cleaned)
    texts = entries(bundle)
    everything = [text for each in texts.items() for text in each]
    if found := leaks(everything, cleaning.names.originals(), forms, words):
        name, kind = next(iter(sorted(found.items())))
        where = next((at for at, text in texts.items() if leaks([text], {name: kind}, forms)), "the name of a file")
        more = f", and {counted(len(found) - 1, 'other name')}" if len(found) > 1 else ""
        raise Unusable(
            f"nothing was written: {kind} {name!r} is still in {where}{more}",
            f"if it is a word of the device there, and not your name for something, add --word {name}; else report it",
        )
    if any(MASKS.text(text) != text for text in texts.values()):
        raise Unusable(
            "nothing was written: an answer repeats a secret of this inventory", "change that secret, and report it"
        )
    return bundle


def _place(answer: Answer) -> tuple[str, str, str, int]:
    return answer.of, answer.who, answer.what, int(answer.item or 0)


def _plain(inventory: Inventory, answers: Sequence[Answer]) -> dict[str, Any]:
    """The inventory as it is written; networks of portals as the portals that they mean."""
    found: dict[str, Any] = inventory.model_dump(mode="json", exclude_defaults=True)
    # also where it is the usual one: answers are filed by it
    if inventory.witness:
        found["witness"] = {"name": inventory.witness.name, **found["witness"]}
    for array in found["arrays"]:
        offered = [
            str(port["portal"])
            for one in answers
            if (one.of, one.who, one.what) == ("array", array["name"], "portals")
            for port in one.data or ()
            if port.get("portal")  # Fibre Channel has none
        ]
        if "portals" in array:
            array["portals"] = list(chosen(offered, inventory.array(array["name"]).portals))
    return found
