"""What ends a step at its first attempt, whatever the activity would say. Pure."""

# An error of our own making is no matter of waiting: fail and show it.
NEVER_RETRIED = [
    "AssertionError", "AttributeError", "IndexError", "KeyError", "NotImplementedError", "TypeError",
    "UnicodeDecodeError", "ValidationError", "ValueError",
]  # fmt: skip
