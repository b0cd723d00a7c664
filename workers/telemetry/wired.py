"""What clients and workers of this process are made with: nothing until `workers.telemetry.tracing` is called.

Apart from it, because a command that traces nothing need not load it.
"""

from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor

plugins: list[SimplePlugin] = []
interceptors: list[Interceptor] = []
