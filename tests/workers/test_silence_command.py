"""`quorate silence`: what cannot be meant is refused with a remedy, before anything is asked."""

import pytest

from tests.workers.test_cli import EXAMPLE
from workers.cli.main import run

WHY = ("--by", "ana", "--why", "replacing PDUs")
REFUSED = [
    (("site-a", "--by", "ana", "--for", "4h"), "--why is missing", 'for example --why "replacing PDUs"'),
    (("site-a", *WHY), "neither --for nor --until is given", "--for 4h, or --until 2026-11-28T18:00Z"),
    (("site-a", *WHY, "--for", "4h", "--until", "2026-11-28T18:00Z"), "both --for and --until", "give one"),
    (("site-a", *WHY, "--for", "4"), "--for: '4': it is no duration", "write --for 4h, 90m or 2d"),
    (("site-a", *WHY, "--for", "4y"), "unit 'y' is unknown", "write --for 4h, 90m or 2d"),
    (("site-a", *WHY, "--for", "9999999999d"), "--for: '9999999999d'", "write --for 4h, 90m or 2d"),
    (("site-a", *WHY, "--until", "tonight"), "--until: 'tonight' is no time", "--until 2026-11-28T18:00Z"),
    (("site-a", *WHY, "--until", "2026-11-28T18:00"), "has no time zone", "--until 2026-11-28T18:00Z"),
]


@pytest.mark.parametrize(("words", "what", "remedy"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_cannot_be_meant_is_refused(
    words: tuple[str, ...], what: str, remedy: str, capsys: pytest.CaptureFixture[str]
):
    """Status 2, a sentence with the value, and what to write instead."""
    status = run(["silence", *words, "-i", str(EXAMPLE)])

    said = capsys.readouterr().err
    assert status == 2
    assert what in said
    assert remedy in said
