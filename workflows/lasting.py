"""When a run that lasts goes on as a new one, so that its history stays short whatever happens."""

from temporalio import workflow

# Well below what Temporal suggests: a run that moves to another worker replays in no time.
LONG = 2000


def is_long() -> bool:
    """Events, crash loops and storms make a history long; nothing else does."""
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() > LONG
