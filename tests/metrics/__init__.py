"""The metrics of a process, read as a Prometheus server reads them."""

import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.common import MetricMeter

Labels = dict[str, str]


def text_at(address: str) -> str:
    """The page as it is."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:  # loopback
        return str(answer.read().decode())


@dataclass(frozen=True)
class Page:
    """What stands on the page at one moment: a sample by its name and its labels."""

    samples: tuple[tuple[str, Labels, float], ...]
    kinds: dict[str, str]

    @property
    def names(self) -> set[str]:
        """Of all samples, without the parts of a histogram."""
        return set(self.kinds)

    def lines(self, name: str, *labels: str) -> list[str]:
        """Those of one name, as text, with only these labels; in order, and without what is 0."""
        return sorted(
            f"{{{', '.join(f'{label}={there[label]}' for label in labels)}}} {value:g}"
            for sample, there, value in self.samples
            if sample == name and value
        )

    def value(self, name: str, **labels: str) -> float:
        """The sum of those with these labels."""
        return sum(value for sample, there, value in self.samples if sample == name and labels.items() <= there.items())


@dataclass(frozen=True)
class Endpoint:
    """A page of metrics, and a client whose process tells them there."""

    address: str
    client: Client
    meter: MetricMeter

    def text(self) -> str:
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:  # loopback
            return str(answer.read().decode())

    def scraped(self) -> Page:
        """Read by the parser of Prometheus' own client."""
        families = list(text_string_to_metric_families(text_at(self.address)))
        return Page(
            tuple((one.name, dict(one.labels), one.value) for family in families for one in family.samples),
            # the parser names a family of counters without what its samples end in
            {f"{one.name}_total" if one.type == "counter" else one.name: one.type for one in families},
        )
