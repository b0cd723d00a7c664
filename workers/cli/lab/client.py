"""The twin's control plane as the commands see it: one call, one answer, and a sentence when it is not there."""

import getpass
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from workers.cli.options import out
from workers.errors import Unusable
from workers.examples import example_file
from workers.inventory_file import load

InventoryOption = Annotated[
    Path | None,
    typer.Option("--inventory", "-i", help="The twin's inventory file. Default: examples/lab.yaml."),
]
# The control plane is on loopback: what takes longer than this is no answer.
PATIENCE = 10.0


class Control:
    """The control plane of one inventory's twin."""

    def __init__(self, inventory: Path | None) -> None:
        # lab.twin says the same of a twin it starts; importing it would bring all servers along
        self.inventory = inventory or example_file()
        self.host, self.port = load(self.inventory).outside, 8901

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.host}:{self.port}"

    def get(self, path: str, **query: object) -> Any:
        """What a path tells."""
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, order: dict[str, Any] | None = None, *, patience: float = PATIENCE) -> Any:
        """Give an order."""
        return self.call("POST", path, json.dumps(order or {}), patience=patience)

    def call(self, method: str, path: str, body: str | None = None, *, patience: float = PATIENCE) -> Any:
        """One call; Unusable when no twin answers, or with the sentence by which it refuses."""
        status, text = self._exchange(method, path, body, patience)
        if status == 404:
            raise Unusable(f"the twin at {self.url} is an older one: it does not know {path}", "start it again")
        answer = json.loads(text)
        if status >= 400:
            raise Refused(str(answer.get("error", text)), answer.get("complaints", []))
        return answer

    def lines(self, since: int) -> Iterator[str]:
        """The log from a change on, as JSON lines."""
        _, text = self._exchange("GET", f"/changes?since={since}", None, PATIENCE)
        yield from text.splitlines()

    def answers(self) -> bool:
        """Whether a twin runs there."""
        try:
            self.get("/status")
        except Unusable:
            return False
        return True

    def _exchange(self, method: str, path: str, body: str | None, patience: float) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=patience)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            which = "" if self.inventory == example_file() else f" -i {self.inventory}"
            raise Unusable(
                f"no twin answers at {self.url}", f"start one with `quorate lab up --detach{which}`"
            ) from None
        finally:
            connection.close()


class Refused(Unusable):
    """The twin runs and says no; `complaints` are those about a scenario's file."""

    def __init__(self, what: str, complaints: list[dict[str, Any]]) -> None:
        super().__init__(what)
        self.complaints = complaints


def me() -> str:
    """Who the log says it was."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def say(text: str) -> None:
    """A plain line, as it is, whatever the terminal's width."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)
