"""Figures of what is looked at; where the process tells no metrics, all of it does nothing, and nothing here raises."""

import contextlib

from temporalio import activity

from cluster import metrics
from cluster.looks import Facts
from cluster.metrics import Metric


def tell(metric: Metric, value: float = 1, **labels: str) -> None:
    """One figure of the activity that runs here."""
    with contextlib.suppress(Exception):
        metrics.record(activity.metric_meter(), metric, value, labels)


def looked(facts: Facts) -> None:
    """The watch has looked: when each vantage point has answered, and how many have not."""
    tell(metrics.LOOKED_AT, facts.at.timestamp())
    tell(metrics.SILENT, len(facts.silent))
    for look in facts.looks:
        if look.answered:
            tell(metrics.FACT_AT, look.at.timestamp(), vantage=look.by, how=look.how)
