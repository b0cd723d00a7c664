"""Random fault schedules over the whole twin: a few, and those that once failed; `make fuzz-lab` plays a thousand."""

import pytest

from tests.fuzz.run import run

# Seeds that broke a law once, each with what it showed.
KEPT = {
    217: "a migrated guest's volume stayed open where the storage network was cut",
    262: "a node that was cut for as long as a new membership takes had an old one and took it for settled",
    302: "what a partition wrote before it died was lost with it, as it must be",
    374: "LRMs let go of their locks although disarming had been put off",
    412: "a round of an LRM that was under way when its node died set a state for the next life",
    424: "a relocated guest whose source forgot that it had arrived",
    434: "a site that lost the witness's path held its vote longer than the witness",
    563: "a vote moved to a site with an older database; a guest runs twice as it would, and the laws know why",
    910: "the older of two databases won when their holders met again",
    578: "a vote moved and came back within a lock's life; two masters lead as they would, and the laws know why",
    867: "HA was armed again while a node was cut off; its guest runs twice as it would, and the laws know why",
    1384: "a site could not tell the witness of its new membership for some seconds, and never did",
    469: "an idle node in maintenance gave up a lock that it never had",
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(1, 5), *KEPT])
def test_nobody_contradicts_anybody(seed: int):
    """API, command line, witness and arrays tell one story at every look, V1 and V2 hold, and all ends well."""
    outcome = run(seed)

    assert outcome.looks > 30
    assert outcome.contradictions == [], "\n".join([f"seed {seed}", *map(str, outcome.acts), *outcome.contradictions])
