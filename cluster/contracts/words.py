"""What ends a step at its first attempt, whatever the activity would say. Pure."""

# An error of our own making is no matter of waiting: fail and show it.
NEVER_RETRIED = [
    "AssertionError", "AttributeError", "IndexError", "KeyError", "NotImplementedError", "TypeError",
    "UnicodeDecodeError", "ValidationError", "ValueError",
]  # fmt: skip

# What is told of a step whose time was over: with the last word of its attempts, or without any.
STILL_SO = "(still so at the end of the step's time)"
NOTHING_REPORTED = "nothing was reported within the step's time: its worker is gone, or it was paused too long"
