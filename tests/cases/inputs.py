"""The inputs beside this file, and stand-ins that answer with them."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from activities.clients.quick import Clients
from activities.clients.ssh import Answer
from activities.errors import NotFound, Unreachable

HERE = Path(__file__).parent
WWID = "3624a93701f2e3d4c5b6a798800011a01"


def text(name: str) -> str:
    """An input as text."""
    return (HERE / name).read_text()


def data(name: str) -> Any:
    """An input as JSON."""
    return json.loads(text(name))


class Hosts:
    """Hosts that say what a table holds: by host and beginning of the command, or by the beginning for all."""

    def __init__(self, said: Mapping[str, str | Mapping[str, str]]) -> None:
        self.said = said
        self.asked: list[str] = []

    async def run(self, host: str, *words: str, limit: float | None = None) -> Answer:
        command = " ".join(words)
        self.asked.append(f"{host}: {command}")
        own = self.said.get(host)
        table = own if isinstance(own, Mapping) else self.said
        found = next((one for start, one in table.items() if command.startswith(start)), "")
        assert isinstance(found, str)
        return Answer(host, command, found, "", 0)

    async def read(self, host: str, *words: str, limit: float | None = None) -> str:
        return (await self.run(host, *words, limit=limit)).stdout


class Api:
    """An API that knows some paths, and lets its token see every guest; what it does not know is not there."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        sees = {"/access": {"Sys.Audit": 1}, "/vms": {"VM.Audit": 1}}
        self.answers = {"access/permissions": sees, "access/acl": [], **answers}
        self.asked: list[str] = []

    @property
    def nodes(self) -> list[str]:
        return ["any"]

    def get(self, path: str, /, **_: Any) -> Any:
        self.asked.append(path)
        if path not in self.answers:
            raise NotFound(f"no {path}")
        return self.answers[path]


class Arrays:
    """Arrays that hold the volume, all but those that are `dark`."""

    def __init__(self, *dark: str) -> None:
        self.dark = dark

    def __getitem__(self, name: str) -> "Arrays":
        if name in self.dark:
            raise Unreachable(f"{name} does not answer")
        return self

    def volume(self, name: str) -> dict[str, str]:
        return {"name": name, "serial": WWID.removeprefix("3624a9370").upper()}


def clients(ssh: Hosts | None = None, api: Api | None = None) -> Clients:
    """The ways to the cluster, over these stand-ins."""
    return Clients(
        ssh=cast(Any, ssh or Hosts({})),
        api=cast(Any, api or Api({})),
        arrays=cast(Any, Arrays()),
        power=lambda _: True,
        threads=ThreadPoolExecutor(1),
    )
