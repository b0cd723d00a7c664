"""What is known of a loss when it begins, and what is not: lines and remarks on the page."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import Condition
    from runbooks.loss import Loss
    from workflows.incident import Incident


def tell_causes(run: Incident, condition: Condition) -> None:
    """What the array does and whether hosts are alive: the second dimension of the same loss."""
    for reason in condition.reasons[1:4]:
        run.record.line("Evidence").end("told", reason, run.record.elapsed)
    if condition.kind in ("site-isolated", "sites-parted"):
        said = (
            "hosts are alive without quorum: HA resets those with services within about 70 s, the others go on; "
            "guests outside HA may still be running there"
        )
        run.record.line("Automatic").end("told", said, run.record.elapsed)


def note_unmanaged(run: Incident, loss: Loss) -> None:
    """Guests of the lost nodes that HA does not know: never touched."""
    if loss.unmanaged is None:
        run.remarks.note_once(
            "which guests outside HA ran there is not known: some may still be running, others may be lost"
        )
    elif loss.unmanaged:
        said = ", ".join(f"{vmid} on {node}" for vmid, node in sorted(loss.unmanaged.items()))
        run.remarks.note_once(f"guests outside HA, lost or still running, not touched: {said}")


def note_doubts(run: Incident, loss: Loss) -> None:
    """Guests that HA has moved while nobody looked: where they were seen last is perhaps their home."""
    if loss.perhaps:
        said = ", ".join(f"{sid} on {one.node} at {one.as_of:%Y-%m-%d %H:%M} UTC" for sid, one in loss.perhaps.items())
        run.remarks.note_once(
            f"HA has moved guests of {loss.site} before the watch looked; last seen: {said}; "
            "that is their home until they run there again, or until an operator removes it "
            "(`quorate switches --forget-home`)"
        )
