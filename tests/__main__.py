"""`python -m tests`: pytest, left with its true status (a process that ran a worker may crash while it finalises)."""

import os
import sys

import pytest

from tests.thrift import spare_servers

if __name__ == "__main__":
    spare_servers()
    status = pytest.main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
