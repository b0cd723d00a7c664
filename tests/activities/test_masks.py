"""What a device or a person repeats of a secret is blanked out, in every form in which it may travel."""

import base64
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.utils import requote_uri

from activities.clients.masks import BLANK, MASKS, SHORTEST, Masks
from activities.clients.secrets import Secrets

# Letters that mean something to regular expressions, addresses, JSON, HTML and shells.
CANARY = 'a+b/(c)*"d<e>&é^$\\g[h]{2}|?.'
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 of an address": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "in an address": quote,
    "in a part of an address": lambda text: quote(text, safe=""),
    "in a form": quote_plus,
    "in small hex digits": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "in JSON": json.dumps,
    "in JSON with its own letters": lambda text: json.dumps(text, ensure_ascii=False),
    "in HTML": html.escape,
    "as Python shows it": repr,
    "in hex": lambda text: text.encode().hex(),
    "in an address in an address": lambda text: quote(quote(text, safe=""), safe=""),
    "in JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "in Go's JSON": lambda text: json.dumps(text, ensure_ascii=False).replace("&", "\\u0026").replace("<", "\\u003c")
    .replace(">", "\\u003e"),
    "in JSON with a slash that is escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "in an address as requests writes it": requote_uri,
    "in base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
}  # fmt: skip
around = st.text(st.characters(codec="utf-8", exclude_characters="\\\"'"), max_size=9)


@pytest.mark.parametrize("form", FORMS)
@given(before=around, after=around)
@settings(deadline=None)  # the machine may be busy
def test_a_secret_is_blanked_out_whatever_stands_beside_it(form: str, before: str, after: str):
    """Login headers, addresses and bodies hold it among other things."""
    masks = Masks()
    masks.learn(CANARY)
    written = FORMS[form](before + CANARY + after)

    assert masks.text(written) != written
    assert CANARY not in masks.text(written)
    assert masks.text(masks.text(written)) == masks.text(written)


@given(before=st.text(st.characters(codec="ascii"), min_size=60, max_size=90))
@settings(deadline=None)
def test_base64_that_goes_on_in_the_next_line_holds_no_secret(before: str):
    """As `base64` and mail wrap it."""
    masks = Masks()
    masks.learn(CANARY)
    wrapped = base64.encodebytes((before + CANARY + before).encode()).decode()

    shown = base64.b64decode(masks.text(wrapped).replace(BLANK, "").replace("\n", "") + "===").decode(errors="replace")

    assert CANARY[3:-3] not in shown
    assert BLANK in masks.text(wrapped)


@pytest.mark.parametrize("behind", ["", "'", "…", '")'])
@pytest.mark.parametrize("length", [25, 36, 47])
def test_a_secret_that_was_cut_off_at_the_end_of_a_text_is_blanked_out(length: int, behind: str):
    """Messages of devices are cut at their length before anybody looks at them."""
    masks = Masks()
    masks.learn("0123456789-abcdefghijklmnopqrstuvwxyz-0123456789")

    cut = "it says " + "0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"[:length] + behind

    assert masks.text(cut) == f"it says {BLANK}{behind}"


def test_the_name_before_a_token_stays():
    """`root@pam` stands in many sentences, and at the end of some."""
    masks = Masks()
    masks.learn("root@pam!quorate=0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f")

    assert masks.text("asked as root@pam") == "asked as root@pam"


def test_what_is_beside_it_stays():
    """The sentence is still read."""
    masks = Masks()
    masks.learn("correct-horse")
    masks.learn("correct-horse-battery")

    said = f"login as root with correct-horse failed; {quote('correct-horse-battery', safe='')} too"
    assert masks.text(said) == f"login as root with {BLANK} failed; {BLANK} too"
    assert masks.data({"a": ["correct-horse", 7, None], "correct-horse": ("x",)}) == {
        "a": [BLANK, 7, None],
        BLANK: ("x",),
    }


def test_of_a_webhook_its_path_is_secret_and_its_host_is_told():
    """Who knows the path may write there."""
    masks = Masks()
    masks.learn("https://chat.example/services/T0123/B4567890/canarycanary?token=abcdefgh1")

    assert masks.text("POST /services/T0123/B4567890/canarycanary at chat.example: 403") == (
        f"POST {BLANK} at chat.example: 403"
    )
    assert masks.text("canarycanary, token=abcdefgh1") == f"{BLANK}, {BLANK}"


def test_a_key_of_many_lines_is_known_line_by_line():
    """A log may hold one line of it."""
    masks = Masks()
    masks.learn("-----BEGIN KEY-----\nbG9uZ2xvbmcx\nbG9uZ2xvbmcy\n-----END KEY-----")

    assert masks.text("line 3: bG9uZ2xvbmcy") == f"line 3: {BLANK}"
    assert masks.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"


def test_a_short_word_is_no_secret_that_can_be_hidden():
    """`root` stands in every second sentence."""
    masks = Masks()
    masks.learn("x" * (SHORTEST - 1))

    assert masks.text("x" * SHORTEST) == "x" * SHORTEST


def test_whatever_is_read_by_a_reference_is_known(tmp_path: Path):
    """Nobody has to think of it."""
    (tmp_path / "token").write_text("read-by-reference\n")
    Secrets(tmp_path).read("file:token")

    assert MASKS.text("it says read-by-reference") == f"it says {BLANK}"
