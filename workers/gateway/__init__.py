"""The event gateway: hints from outside, over HTTP."""
