"""`quorate trace`: what a run did and waited for; and to an OTLP receiver, now or once more."""

from typing import Annotated

import typer

from workers.cli.options import JsonOption


def trace(
    run: Annotated[
        str | None, typer.Argument(help="A run, a trace, or the beginning of either. Without it: the newest traces.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Show each call on a line of its own; in the list, traces of no run too.")
    ] = False,
    send: Annotated[
        str | None,
        typer.Option(help="Send it to this OTLP receiver: http://host:4317 (gRPC), http://host:4318 (HTTP)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the trace of a run: steps, attempts, where the time went.

    Traces are kept in the state folder ($QUORATE_STATE, default ./var) of the worker that ran them. A trace may be sent
    again: the receiver has each span once. Headers and certificates are those of OTEL_EXPORTER_OTLP_….

    Example: quorate trace site-loss/metro
    """
    from workers.cli.trace.showing import show

    show(run, whole=whole, endpoint=send, as_json=as_json)


COMMANDS = (trace,)
