"""What a process is started with: environment (``QUORATE_…``) first, command line options above it.

Where the Temporal server is, is Temporal's own configuration: its profiles and ``TEMPORAL_…`` variables.
"""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every number says what it is for."""

    model_config = SettingsConfigDict(env_prefix="QUORATE_", frozen=True, extra="ignore")

    inventory: Path = Field(default=Path("inventory.yaml"), description="the inventory file of the cluster")
    state: Path = Field(default=Path("var"), description="where the embedded mode and the twin keep their files")
    task_queue: str = Field(default="runbooks", description="the queue that workers poll and runs are started on")
    at: str = Field(
        default="",
        description="where this worker stands: a site, the witness's name, or any other place; two vantage points in "
        "one place are one, and a worker that does not say where it stands confirms no loss",
    )
    temporal_port: int = Field(default=7233, description="gRPC port of the embedded Temporal server")
    ui_port: int = Field(default=8233, description="port of its web UI")
    activities: int = Field(default=40, description="activities at once: six nodes in parallel, with room to spare")
    cached_workflows: int = Field(default=200, description="runs kept in memory; 0 replays every task from the start")
    grace: timedelta = Field(
        default=timedelta(seconds=10), description="time for running steps when a worker is stopped"
    )
    speed: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="how much faster than the wall the cluster's time runs: only that of a rehearsal on the twin does",
    )
    hooks: tuple[str, ...] = Field(
        default=(), description="what hooks may run or call: paths of programs, addresses (a beginning ends with /)"
    )
    secrets: tuple[Path, ...] = Field(
        default=(), description="folders besides the inventory's whose files headers and webhooks may refer to"
    )
    ui: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="where people find Temporal's web UI, for links in notices: https://temporal.example",
    )
    traces: Literal["store", "off"] = Field(
        default="store",
        description="where spans are kept for `quorate trace`; a receiver (OTEL_EXPORTER_OTLP_…) gets them besides",
    )
    traces_megabytes: int = Field(
        default=512,
        ge=1,
        description="the most that kept traces may take; an incident takes half of one, a watch some each day",
    )
    traces_age: timedelta = Field(
        default=timedelta(days=30), description="how long a trace is kept: as long as people come back to an incident"
    )
    logs: Literal["text", "json"] = Field(
        default="text", description="text for a person; json for whoever collects logs: one object a line"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="from which level on: what a person has to know of, and nothing else"
    )
    metrics: str = Field(
        default="",
        description="address and port where worker, `up` and gateway tell their metrics to Prometheus, each process at "
        "one of its own: 127.0.0.1:9464; empty: none",
    )
    audit: Path | None = Field(
        default=None,
        description="where audit records are kept: on another disk than Temporal's database, so that one loss does "
        "not take both. Default: audit, in the state folder",
    )
    audit_key: Path | None = Field(
        default=None,
        description="the private key that signs them, made at first need; keep it out of their folder, since "
        "whoever has both can rewrite them. Default: audit.key, in the state folder",
    )
    audit_file: Path | None = Field(
        default=None, description="a file elsewhere that is told of each head of a record: on another machine's disk"
    )
    audit_webhook: str = Field(
        default="",
        pattern=r"^((env|file):.+)?$",
        description="an address that is told as well, as a reference: env:NAME or file:PATH",
    )
    audit_timestamps: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="a time stamp service (RFC 3161) that signs each head"
    )
    audit_roots: Path | None = Field(
        default=None, description="the certificates (PEM) that this service's time stamps are checked against"
    )
    gateway_rate: float = Field(
        default=500.0, gt=0, description="requests a second that the event gateway takes from one source for long"
    )
    gateway_burst: int = Field(
        default=2000, ge=1, description="requests of one source at once, after a quiet time: a site's loss is a storm"
    )

    @property
    def audit_folder(self) -> Path:
        """Where audit records are kept."""
        return self.audit or self.state / "audit"

    @property
    def audit_signer(self) -> Path:
        """The private key that signs them."""
        return self.audit_key or self.state / "audit.key"
