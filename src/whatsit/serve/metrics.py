"""What the server counts, for Prometheus, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STAGES = ("read", "wait", "decode", "preprocess", "inference")
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters and histograms. To be used on the event loop's thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "whatsit_requests",
            "Requests that were answered.",
            ["path", "status"],
            registry=self.registry,
        )
        self._pictures = Counter(
            "whatsit_pictures",
            "Pictures that were classified, and those that could not be.",
            ["model", "outcome"],
            registry=self.registry,
        )
        self._errors = Counter(
            "whatsit_errors", "Errors that were sent.", ["code"], registry=self.registry
        )
        seconds = Histogram(
            "whatsit_stage_seconds",
            "Seconds of each stage: read the body, wait for a worker, decode, preprocess, "
            "inference.",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._whole = Histogram(
            "whatsit_classify_seconds",
            "Seconds of each request to classify, from its headers to the end of its answer.",
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._stages = {stage: seconds.labels(stage) for stage in _STAGES}
        self._known: dict[tuple[str, ...], Counter] = {}

    def gauge(self, name: str, about: str, value: Callable[[], float]) -> None:
        """A number that is asked for when somebody looks."""
        Gauge(name, about, registry=self.registry).set_function(value)

    def request(self, path: str, status: int, seconds: float) -> None:
        self._child(self._requests, path, str(status)).inc()
        if path == "/v1/classify":
            self._whole.observe(seconds)

    def picture(self, model: str, timings_ms: Mapping[str, float], *, failed: bool) -> None:
        """One picture."""
        self._child(self._pictures, model, "failed" if failed else "classified").inc()
        for stage, milliseconds in timings_ms.items():
            self._stages[stage].observe(milliseconds / 1e3)

    def error(self, code: str) -> None:
        self._child(self._errors, code).inc()

    def took(self, stage: str, seconds: float) -> None:
        self._stages[stage].observe(seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)

    def _child(self, counter: Counter, *labels: str) -> Counter:
        """The same as `counter.labels`, which would take a lock and check them each time."""
        key = (counter._name, *labels)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = counter.labels(*labels)
        return child
