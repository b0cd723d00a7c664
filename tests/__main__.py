"""`python -m tests`: pytest, left with its true status (a process that ran a worker may crash while it finalises)."""

import os
import sys

import pytest

# Temporal servers are short of time here, not of memory: they collect their garbage less often.
os.environ.setdefault("GOGC", "400")

if __name__ == "__main__":
    status = pytest.main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
