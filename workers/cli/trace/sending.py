"""A kept trace to an OTLP receiver, by OpenTelemetry's own exporters.

Safe to repeat: a receiver tells spans by their ids. What has not ended is not sent, for a receiver takes a span once.
"""

import os
from collections.abc import Sequence

from opentelemetry.sdk.trace.export import SpanExportResult

from cluster.nouns import Value
from workers.errors import Unusable
from workers.telemetry.encoding import Kept, decoded
from workers.telemetry.exporting import BATCH, address, otlp_exporter, protocol, quiet

# A person waits for it: the exporters try again so long for each batch.
PATIENCE = 10.0


class Sent(Value):
    """How many spans the receiver has taken, and how many are under way."""

    endpoint: str
    sent: int
    under_way: int


def send(kept: Sequence[Kept], endpoint: str) -> Sent:
    """All spans that have ended. Unusable where the receiver does not take them; what it took until then it has."""
    quiet()
    spoken = protocol(endpoint, os.environ)
    spans = [span for span in decoded(kept) if span.end_time]
    exporter = otlp_exporter(endpoint, spoken, timeout=PATIENCE)
    try:
        for at in range(0, len(spans), BATCH):
            if exporter.export(spans[at : at + BATCH]) is not SpanExportResult.SUCCESS:
                raise Unusable(
                    f"{address(endpoint)} does not take spans by {spoken}; {at} of {len(spans)} were sent",
                    "see that an OTLP receiver listens there (4317 is gRPC, 4318 HTTP; OTEL_EXPORTER_OTLP_PROTOCOL "
                    "names the protocol of another port), and send again: no span is there twice",
                )
    finally:
        exporter.shutdown()
    return Sent(endpoint=address(endpoint), sent=len(spans), under_way=len(kept) - len(spans))
