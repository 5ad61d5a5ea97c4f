"""The metrics of messages that wait, on the way to the broker or to a webhook."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from listener.health import OutboxHealth


def outbox_metrics(stage: str, receiver: str, outbox: OutboxHealth) -> Iterator[Metric]:
    """`listener_<stage>_...`; `receiver` is who gets the messages, in words for people."""
    age = 0.0 if outbox.oldest_at is None else max(0.0, time.time() - outbox.oldest_at)
    for name, documentation, value in (
        ("events", f"Messages that wait for the {receiver}.", outbox.events),
        ("oldest_seconds", "How long the oldest of them waits.", age),
        ("unsaved", "Messages that the disk has not taken yet.", outbox.unsaved),
        ("failing", "1 while the disk takes nothing.", float(outbox.failing is not None)),
    ):
        yield GaugeMetricFamily(f"listener_{stage}_{name}", documentation, value=value)
    for name, documentation, value in (
        ("dropped", "Messages lost because too many waited.", outbox.dropped),
        ("dead", f"Messages that the {receiver} does not want.", outbox.dead),
        ("quarantined", "Messages that broke connections.", outbox.quarantined),
        ("set_aside", "Broken files that were put aside.", outbox.set_aside),
    ):
        yield CounterMetricFamily(f"listener_{stage}_{name}", documentation, value=value)
