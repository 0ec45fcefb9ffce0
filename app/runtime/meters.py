"""The server's metrics for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).

Law: counts only; nothing here decides anything, and no label holds what a client sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from app import __version__
from app.runtime.http_meters import HttpMeters, ServerMeters, known_method
from engines.types import WindowResult

ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
SECOND_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
OVERHEAD_BUCKETS = (0.0003, 0.001, 0.002, 0.004, 0.01, 0.03, 0.1, 1)
MODEL_LABEL = ("model",)
CHILD_LABELS = ("model", "device")


class _RequestCounts:
    """Metrics of requests and their answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.answered = counter("antiphon_requests", "Requests answered.", ("route", "method", "status"))
        self.seconds = Histogram(
            "antiphon_request_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            buckets=SECOND_BUCKETS,
            registry=registry,
        )


class _LaneCounts:
    """Metrics of queues, batches and models."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, labelnames=MODEL_LABEL, registry=registry)
        gauge = partial(Gauge, labelnames=MODEL_LABEL, registry=registry)
        times = partial(Histogram, labelnames=MODEL_LABEL, buckets=SECOND_BUCKETS, registry=registry)
        sizes = partial(Histogram, labelnames=MODEL_LABEL, buckets=ROW_BUCKETS, registry=registry)
        self.jobs = gauge("antiphon_queue_jobs", "Windows or utterances that wait.")
        self.seconds = gauge("antiphon_queue_seconds", "Seconds of sound that wait.")
        self.wait = times("antiphon_wait_seconds", "Time from submission to work.")
        self.rows = sizes("antiphon_batch_rows", "Jobs in a batch.")
        self.run = times("antiphon_run_seconds", "Time that a batch took.")
        self.load = times("antiphon_model_load_seconds", "Time to load a model.")
        self.work = counter("antiphon_work_seconds", "Time that models worked.")
        self.sound = counter("antiphon_sound_seconds", "Seconds of sound worked on; work / sound is the RTF.")
        self.cancelled = counter("antiphon_cancelled", "Rows dropped because their request was gone.")
        self.failed = counter("antiphon_failed", "Rows at which a model failed.")


class _WindowCosts:
    """Metrics of the cost of transcribed windows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, labelnames=MODEL_LABEL, registry=registry)
        self.frames = counter("antiphon_frames", "Encoder frames (10 ms each) that windows took.")
        self.saved = counter(
            "antiphon_frames_saved", "Encoder frames that full windows would have taken beyond those."
        )
        self.redone = Counter(
            "antiphon_redone",
            "Rounds whose cheap result was doubted and done again, by what was added.",
            (*MODEL_LABEL, "with"),
            registry=registry,
        )
        self.fallbacks = counter("antiphon_fallbacks", "Windows decoded again at a higher temperature.")


class _ProcessCounts:
    """Metrics of the processes in which models run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, labelnames=CHILD_LABELS, registry=registry)
        self.up = gauge("antiphon_child_up", "Processes of a model that are loaded (1 or 0), and readers.")
        self.bytes = gauge("antiphon_child_bytes", "Resident memory of a model's process.")
        self.restarts = Counter(
            "antiphon_child_restarts",
            "Processes of a model that ended without being asked to, or were replaced.",
            (*CHILD_LABELS, "reason"),
            registry=registry,
        )
        self.overhead = Histogram(
            "antiphon_call_overhead_seconds",
            "Time of a call to the process of a model beyond the work itself.",
            CHILD_LABELS,
            buckets=OVERHEAD_BUCKETS,
            registry=registry,
        )


class ChildMeter:
    """The metrics of a model's process on one kind of device."""

    def __init__(self, counts: _ProcessCounts, model: str, device: str) -> None:
        self._counts = counts
        self._labels = (model, device)

    def up(self, count: int) -> None:
        """Sets how many processes are up; for a model that is 1 or 0."""
        self._counts.up.labels(*self._labels).set(count)
        if not count:
            self._counts.bytes.labels(*self._labels).set(0)

    def restarted(self, reason: str) -> None:
        """Counts an end of the process. `reason`: `crash`, `killed`, `stuck`, `memory` or `replaced`."""
        self._counts.restarts.labels(*self._labels, reason).inc()

    def called(self, overhead: float, size: int) -> None:
        """Measures a call that took `overhead` seconds longer than its work. `size`: resident bytes of the
        process.
        """
        self._counts.overhead.labels(*self._labels).observe(overhead)
        self.size(size)

    def size(self, size: int) -> None:
        """Sets the resident memory of the process, in bytes."""
        self._counts.bytes.labels(*self._labels).set(size)


class Meters:
    """All metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        Info("antiphon", "This server.", registry=self._registry).info({"version": __version__})
        self.http = HttpMeters(self._registry)
        self.server = ServerMeters(self._registry)
        self._requests = _RequestCounts(self._registry)
        self._lanes = _LaneCounts(self._registry)
        self._windows = _WindowCosts(self._registry)
        self._processes = _ProcessCounts(self._registry)
        self._expiry: Gauge | None = None

    def requested(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Counts an answered request. `route`: its template; None for an unknown path."""
        self._requests.answered.labels(route or "none", known_method(method), str(status)).inc()
        self._requests.seconds.labels(route or "none").observe(seconds)

    def queued(self, model: str, jobs: int, seconds: float) -> None:
        self._lanes.jobs.labels(model).set(jobs)
        self._lanes.seconds.labels(model).set(seconds)

    def worked(self, model: str, waits: Sequence[float], sound: float, seconds: float) -> None:
        """Measures a batch: how long each row waited, the seconds of sound in it, and the seconds of work."""
        for wait in waits:
            self._lanes.wait.labels(model).observe(wait)
        self._lanes.rows.labels(model).observe(len(waits))
        self._lanes.sound.labels(model).inc(sound)
        self._lanes.work.labels(model).inc(seconds)
        self._lanes.run.labels(model).observe(seconds)

    def transcribed(self, model: str, result: WindowResult) -> None:
        """Counts what it cost to transcribe one window."""
        cost = result.cost
        self._windows.frames.labels(model).inc(cost.frames)
        self._windows.saved.labels(model).inc(cost.saved)
        self._windows.redone.labels(model, "full window").inc(cost.reencoded)
        self._windows.redone.labels(model, "beam").inc(cost.beamed)
        self._windows.fallbacks.labels(model).inc(cost.fallbacks)

    def loaded(self, model: str, seconds: float) -> None:
        """Counts the loading of a model, which took `seconds`."""
        self._lanes.load.labels(model).observe(seconds)

    def cancelled(self, model: str, jobs: int) -> None:
        self._lanes.cancelled.labels(model).inc(jobs)

    def failed(self, model: str, jobs: int) -> None:
        self._lanes.failed.labels(model).inc(jobs)

    def child(self, model: str, device: str) -> ChildMeter:
        """The metrics of a model's process on one kind of device."""
        return ChildMeter(self._processes, model, device)

    def certificate(self, expires: float) -> None:
        """Sets when the server's certificate expires, in seconds since 1970. Without TLS this metric is
        absent.
        """
        if self._expiry is None:
            self._expiry = Gauge(
                "antiphon_certificate_expires_timestamp_seconds",
                "When the TLS certificate ends, in seconds since 1970.",
                registry=self._registry,
            )
        self._expiry.set(expires)

    def page(self) -> bytes:
        """The text of /metrics."""
        return generate_latest(self._registry)
