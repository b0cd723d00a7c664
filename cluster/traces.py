"""The trace of a run: its id follows from the run's own id, so that it is the same whether anybody collects it or not.

A run is named by the id of its first execution: that one stays when the run continues as new. By hand:
``printf %s RUN_ID | sha256sum | cut -c1-32``. The id is hashed and not used as it is because samplers decide by some
of a trace's bits, which a UUID does not draw by lot.
"""

from hashlib import sha256


def trace_of(first_run_id: str) -> str:
    """The trace of the run whose first execution has that id: 32 hexadecimal digits."""
    return sha256(first_run_id.encode()).hexdigest()[:32]


def root_of(trace: str) -> str:
    """The span of that trace which is the whole run: 16 hexadecimal digits."""
    return sha256(trace.encode()).hexdigest()[:16]


def traceparent(trace: str) -> str:
    """How others name the run's span, as W3C Trace Context writes it."""
    return f"00-{trace}-{root_of(trace)}-01"
