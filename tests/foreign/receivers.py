"""Foreign receivers, obtained once and kept for the user: the Collector is built with Go, Zipkin comes by Maven."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import yaml

from workers.temporal.binary import cache_folder
from workers.temporal.embedded import free_port

SOURCE = Path(__file__).parent / "collector"
COLLECTOR, ZIPKIN = "0.148.0", "3.5.1"  # that of SOURCE/go.mod; the newest one
# A build from nothing takes six minutes on two busy cores; a start of the JVM a quarter of a minute on an idle one.
STARTS_WITHIN, ARRIVES_WITHIN = 300.0, 60.0


def collector_program() -> Path:
    """The Collector of this folder's `main.go`; built where it has not been built yet."""
    program = cache_folder() / f"collector-{COLLECTOR}" / "collector"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        made = program.with_name(f"being-built-{os.getpid()}")
        subprocess.run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(made), "."], cwd=SOURCE, check=True)
        made.replace(program)
    return program


def zipkin_program() -> Path:
    """Zipkin's own server with its page, as Maven keeps it."""
    program = Path.home() / f".m2/repository/io/zipkin/zipkin-server/{ZIPKIN}/zipkin-server-{ZIPKIN}-exec.jar"
    if not program.exists():
        artifact = f"-Dartifact=io.zipkin:zipkin-server:{ZIPKIN}:jar:exec"
        subprocess.run(["mvn", "-q", "-B", "dependency:get", artifact, "-Dtransitive=false"], check=True)
    return program


def until(true: Callable[[], bool], what: str, within: float) -> None:
    """Wait for that; an error that says what was waited for."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"waited {within:.0f} s for {what}"
        time.sleep(0.1)


class Collector:
    """One that runs. `file` has what it took, as OTLP JSON."""

    def __init__(self, folder: Path, zipkin: str = "") -> None:
        self.grpc, self.http = free_port(), free_port()
        self.file = folder / "spans.json"
        exporters: dict[str, Any] = {"file": {"path": str(self.file), "flush_interval": "100ms"}}
        if zipkin:
            exporters["zipkin"] = {"endpoint": f"{zipkin}/api/v2/spans"}
        listen = {"grpc": f"127.0.0.1:{self.grpc}", "http": f"127.0.0.1:{self.http}"}
        config = {
            "receivers": {"otlp": {"protocols": {name: {"endpoint": at} for name, at in listen.items()}}},
            "exporters": exporters,
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}},
            },
        }
        self.config = folder / "collector.yaml"
        self.config.write_text(yaml.safe_dump(config))

    def spans(self) -> list[tuple[str, str]]:
        """Trace and id of each span, as often as it was taken."""
        if not self.file.exists():
            return []
        return [
            (span["traceId"], span["spanId"])
            for line in self.file.read_text().splitlines()
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def of(self, trace: str) -> list[str]:
        """The ids of a trace's spans, as often as they were taken."""
        return [span for of, span in self.spans() if of == trace]


@contextmanager
def running(words: list[str], log: Path, environment: dict[str, str], ready: Callable[[], bool]) -> Iterator[None]:
    """A program until the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env={**os.environ, **environment})
    try:
        until(lambda: ready() or process.poll() is not None, f"{words[0]} to start", STARTS_WITHIN)
        assert process.poll() is None, log.read_text()[-2000:]
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def collecting(folder: Path, zipkin: str = "") -> Iterator[Collector]:
    """A Collector that takes OTLP on two ports of loopback."""
    one = Collector(folder, zipkin)
    words = [str(collector_program()), "--config", str(one.config)]
    with running(words, folder / "collector.log", {}, lambda: listens(one.grpc) and listens(one.http)):
        yield one


@contextmanager
def zipkin(folder: Path) -> Iterator[str]:
    """Zipkin on loopback; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    java = shutil.which("java") or "java"
    words = [java, "-Xmx512m", "-jar", str(zipkin_program())]
    settings = {"QUERY_PORT": str(port), "STORAGE_TYPE": "mem"}
    with running(words, folder / "zipkin.log", settings, lambda: answers(f"{url}/health")):
        yield url


def listens(port: int) -> bool:
    """Somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Somebody says OK there."""
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310  # an address of our own, on loopback
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def asked(url: str) -> Any:
    """What a JSON API says; nothing where it knows nothing."""
    try:
        with urlopen(url, timeout=10) as answer:  # noqa: S310  # an address of our own, on loopback
            return json.load(answer)
    except HTTPError:
        return []
