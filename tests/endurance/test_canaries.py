"""The whole demonstration with secrets that can be recognised anywhere: nothing that it leaves behind holds one.

Every credential of the inventory and every address and key of a receiver is a canary, with letters that mean something
to regular expressions, addresses and shells. Looked through is whatever a person, a disk or a network may see.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import yaml

from activities.clients.masks import forms
from tests.receivers import Receiver
from tests.twin import inventory_file
from workers.temporal.embedded import free_port

pytestmark = pytest.mark.slow

ENDS_WITHIN = 600.0  # seconds; the demonstration takes 200 on a quiet machine
# What a thing must not hold, spelt so that every encoding changes it.
AWKWARD = "^a+b.*[c](d)|{e}$&?%/"


def canary(name: str) -> str:
    """One word of ASCII, as a token has to be."""
    return f"Canary-{name}-{AWKWARD}"


@dataclass
class Seen:
    """Everything that was looked through, by the name of the place: its bytes."""

    places: dict[str, bytes] = field(default_factory=dict)

    def hits(self, canaries: dict[str, str]) -> list[str]:
        """Which canary was found where."""
        known = {form.encode(): name for name, secret in canaries.items() for form in forms(secret) if len(form) >= 8}
        return sorted(
            f"{name} in {place}"
            for place, found in self.places.items()
            for form, name in known.items()
            if form in found
        )


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    found = {name: Receiver() for name in ("plain", "pager", "chat", "genie", "deadman")}
    yield found
    for one in found.values():
        one.stop()


@pytest.fixture
def planted(tmp_path: Path, receivers: dict[str, Receiver]) -> tuple[Path, dict[str, str], dict[str, str]]:
    """The inventory, the canaries by name, and the variables that some of them stand in."""
    path = inventory_file(tmp_path)
    document = yaml.safe_load(path.read_text())
    references = sorted(set(re.findall(r"file:(\S+)", path.read_text())))
    secrets = {name: canary(Path(name).name) for name in references if not name.endswith("key") and "ssh" not in name}
    for name, secret in secrets.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{secret}\n")
    paths = {name: f"services/canary-{name}-T0123/B45.67+8(9)" for name in receivers}
    variables = {f"CANARY_{name.upper()}": f"{receivers[name].url}/{paths[name]}" for name in receivers}
    variables |= {"CANARY_KEY": "R0123456789ABCDEFcanary9ABCDEF01", "CANARY_HEADER": canary("header")}
    document["notify"] = [
        {"name": "plain", "webhook": "env:CANARY_PLAIN", "headers": {"X-Secret": "env:CANARY_HEADER"}},
        {"name": "pager", "kind": "pagerduty", "webhook": "env:CANARY_PAGER", "routing_key": "env:CANARY_KEY"},
        {"name": "chat", "kind": "slack", "webhook": "env:CANARY_CHAT"},
        {"name": "genie", "kind": "opsgenie", "webhook": "env:CANARY_GENIE", "token": "env:CANARY_HEADER"},
    ]
    document.setdefault("watch", {})["deadman"] = "env:CANARY_DEADMAN"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    canaries = secrets | paths | {"routing key": variables["CANARY_KEY"], "header": variables["CANARY_HEADER"]}
    return path, canaries, variables


def looked_at_meanwhile(seen: Seen, demo: subprocess.Popen[bytes], metrics: str, over: threading.Event) -> None:
    """Command lines of all processes of the demonstration, and its metrics, again and again."""
    lines: set[bytes] = set()
    while not over.wait(0.2):
        for pid in descendants(demo.pid):
            with suppress(OSError):
                lines.add(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
        with suppress(requests.RequestException):
            seen.places["metrics"] = requests.get(f"http://{metrics}/metrics", timeout=2).content
    seen.places |= {f"command line {line.decode(errors='replace')[:60]}": line for line in lines}


def descendants(root: int) -> list[int]:
    """The process and all that it has started, now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def test_no_secret_of_the_demonstration_is_left_anywhere(
    planted: tuple[Path, dict[str, str], dict[str, str]], receivers: dict[str, Receiver], tmp_path: Path
):
    """Temporal's database, logs, spans, metrics, audit, report, notices, errors, command lines, the summary."""
    path, canaries, variables = planted
    seen, over, metrics = Seen(), threading.Event(), f"127.0.0.1:{free_port()}"
    told = {
        "QUORATE_STATE": str(tmp_path / "var"),
        "QUORATE_LOG_LEVEL": "debug",
        "QUORATE_LOGS": "json",
        "QUORATE_METRICS": metrics,
    }
    command = [sys.executable, "-P", "-m", "workers.cli", "demo", "--inventory", str(path), "--json"]
    demo = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **variables, **told}
    )
    looking = threading.Thread(target=looked_at_meanwhile, args=(seen, demo, metrics, over))
    looking.start()
    began = time.monotonic()
    said, errors = demo.communicate(timeout=ENDS_WITHIN)
    over.set()
    looking.join()
    assert demo.returncode == 0, errors[-3000:].decode(errors="replace")

    seen.places |= {"what the demonstration prints": said, "what it tells of its progress": errors}
    files = [one for one in (tmp_path / "var").rglob("*") if one.is_file()]
    seen.places |= {str(one.relative_to(tmp_path)): one.read_bytes() for one in files}
    for name, receiver in receivers.items():
        # PagerDuty wants its key in the body
        meant = {"pager": variables["CANARY_KEY"]}.get(name, "\0")
        bodies = "\n".join(body.replace(meant, "") for _, body in receiver.got)
        seen.places[f"notices to {name}"] = bodies.encode()
    letters = sum(len(found) for found in seen.places.values())
    print(
        f"{len(canaries)} canaries, {sum(len(set(forms(one))) for one in canaries.values())} forms, "
        f"{len(seen.places)} places, {letters / 1e6:.0f} MB, {time.monotonic() - began:.0f} s"
    )

    assert json.loads(said)["deploy"]["second_run_changed"] == 0
    assert seen.places["metrics"]
    assert all(receiver.got for receiver in receivers.values())
    assert any(name.endswith("temporal.db") for name in seen.places)
    assert seen.hits(canaries) == []


def test_what_is_planted_is_found():
    """The search itself: a canary in a file, as it is and in base64."""
    secret = canary("planted")
    seen = Seen({"a": b"x" + secret.encode() + b"y", "b": base64.b64encode(b"user:" + secret.encode()), "c": b"none"})

    assert set(seen.hits({"planted": secret})) == {"planted in a", "planted in b"}
