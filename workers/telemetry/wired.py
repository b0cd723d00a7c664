"""What clients of this process are made with, and by them their workers: nothing until it is to be traced.

Apart from `workers.telemetry.tracing`, because a command that traces nothing need not load it.
"""

from temporalio.plugin import SimplePlugin

plugins: list[SimplePlugin] = []
