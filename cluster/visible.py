"""Texts that people typed or devices said, made harmless for whoever reads them on a terminal.

A control character can move the cursor and draw another plan over the one that is signed, and one that turns the
direction of writing can show it in another order. Whatever cannot be seen is written as an escape that can.
"""

import json
import re
import unicodedata

# Control characters (Cc), format characters (Cf: directions, joiners, tags), line and paragraph separators (Zl, Zp),
# surrogates, private use and what Unicode has not assigned; none of them shows, or shows everywhere the same.
_HIDDEN_KINDS = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def hidden(letter: str) -> bool:
    """It does not show, or does something instead of showing."""
    return unicodedata.category(letter) in _HIDDEN_KINDS


def visible(text: str, keep: str = "") -> str:
    r"""The text with everything hidden in it written out: ``\x1b``, ``\u202e``; `keep` are letters that may stay.

    >>> visible("ana\x1b[2J\u202e")
    'ana\\x1b[2J\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(letter) if hidden(letter) and letter not in keep else letter for letter in text)


def visible_json(document: str) -> str:
    """The same for a JSON document, which means afterwards what it has meant before."""
    return re.sub(r"[^\x00-\x7e]", lambda found: json.dumps(found[0])[1:-1] if hidden(found[0]) else found[0], document)


def _escaped(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
