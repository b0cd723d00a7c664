"""One way to reach Temporal, for worker, command line and tests."""

import dataclasses
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from workers.errors import Unusable
from workers.settings import Settings
from workers.telemetry import wired
from workers.temporal.failures import PlainFailures
from workers.temporal.place import read

CONVERTER = dataclasses.replace(pydantic_data_converter, failure_converter_class=PlainFailures)


async def connect(address: str | None = None) -> Client:
    """A client for the server at `address`, else for the one of Temporal's profile or variables.

    Where neither names one it is the server that `quorate up` has started in this folder. Unusable when nothing answers
    there.
    """
    config: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    if address is not None:
        config["target_host"] = address
    config.setdefault("target_host", read(Settings().state) or "localhost:7233")
    try:
        return await Client.connect(**config, data_converter=CONVERTER, plugins=wired.plugins)
    except (RPCError, RuntimeError) as error:
        raise Unusable(
            f"no Temporal server answers at {config['target_host']}",
            "start one with `quorate up`, or set TEMPORAL_ADDRESS or a profile to the one you mean",
        ) from error
