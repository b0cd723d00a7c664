"""What a summary says of the traces that are kept: how many spans, how many have ended, and the root of each trace."""

from collections.abc import Sequence
from typing import Any

from workers.telemetry.store import Listed


def summed(traces: Sequence[Listed]) -> dict[str, Any]:
    """As plain data; ``spans`` and ``ended`` differ by what is under way, as a watch is."""
    return {
        "spans": sum(one.spans for one in traces),
        "ended": sum(one.ended for one in traces),
        "roots": [
            {"run": one.workflow or None, "trace": one.trace, "span": one.root, "spans": one.spans, "ended": one.ended}
            for one in sorted(traces, key=lambda one: one.start)
        ],
    }
