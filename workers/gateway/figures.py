"""What the gateway counts: requests, events, refusals, and who waits. No request fails because of a figure."""

import contextlib
import time
from collections.abc import Iterator, Mapping

from starlette.requests import ClientDisconnect
from temporalio.common import MetricMeter

from cluster import metrics
from cluster.metrics import Metric, record
from workers.gateway.refusals import Refused

# Why a request was refused, by its status.
REASONS = {
    400: "unreadable",
    401: "unauthorized",
    408: "too-slow",
    409: "replayed",
    413: "too-large",
    422: "invalid",
    429: "too-many",
    503: "unavailable",
}


class Figures:
    """The metrics of one gateway; without a meter they go nowhere."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self._meter = meter

    def begins(self, source: str) -> None:
        """Everything is 0 before the first request: what grows from nothing to 1 is no growth to Prometheus."""
        self._tell(metrics.GATEWAY_REQUESTS, 0, source=source)
        for outcome in ("delivered", "duplicate"):
            self._tell(metrics.GATEWAY_EVENTS, 0, source=source, outcome=outcome)
        for reason in (*REASONS.values(), "hung-up", "bug"):
            self._tell(metrics.GATEWAY_REFUSED, 0, source=source, reason=reason)

    @contextlib.contextmanager
    def request(self, source: str) -> Iterator[None]:
        """One request of that source, whatever becomes of it."""
        began = time.monotonic()
        self._tell(metrics.GATEWAY_REQUESTS, source=source)
        try:
            yield
        except Refused as refused:
            self._tell(metrics.GATEWAY_REFUSED, source=source, reason=REASONS.get(refused.status, "invalid"))
            raise
        except ClientDisconnect:
            self._tell(metrics.GATEWAY_REFUSED, source=source, reason="hung-up")
            raise
        except Exception:
            self._tell(metrics.GATEWAY_REFUSED, source=source, reason="bug")
            raise
        self._tell(metrics.GATEWAY_SECONDS, time.monotonic() - began, source=source)

    def taken(self, events: Mapping[str, int], *, outcome: str) -> None:
        """Temporal has so many of each source: ``delivered`` now, or a ``duplicate`` of one before."""
        for source, count in events.items():
            self._tell(metrics.GATEWAY_EVENTS, count, source=source, outcome=outcome)

    def waiting(self, events: int) -> None:
        """So many are not in Temporal yet."""
        self._tell(metrics.GATEWAY_WAITING, events)

    def _tell(self, metric: Metric, value: float = 1, **labels: str) -> None:
        with contextlib.suppress(Exception):
            record(self._meter, metric, value, labels)
