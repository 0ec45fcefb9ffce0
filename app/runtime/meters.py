"""What the lanes do, as numbers for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).

Law: counts only; nothing here decides anything, and no label holds what a client sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from app import __version__
from engines.types import WindowResult

ROWS = (1, 2, 4, 8, 16, 32, 64)
SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
LABELS = ("model",)
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""Others are counted as one: clients can send any word."""


class Meters:
    """One set of counters for one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        kept = self._registry
        Info("antiphon", "This server.", registry=kept).info({"version": __version__})
        self._requests = Counter(
            "antiphon_requests", "Requests answered.", ("route", "method", "status"), registry=kept
        )
        self._answers = Histogram(
            "antiphon_request_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=kept,
        )
        self._jobs = Gauge("antiphon_queue_jobs", "Windows or utterances that wait.", LABELS, registry=kept)
        self._seconds = Gauge("antiphon_queue_seconds", "Seconds of sound that wait.", LABELS, registry=kept)
        self._wait = Histogram(
            "antiphon_wait_seconds", "Time from submission to work.", LABELS, buckets=SECONDS, registry=kept
        )
        self._rows = Histogram("antiphon_batch_rows", "Jobs in a batch.", LABELS, buckets=ROWS, registry=kept)
        self._run = Histogram(
            "antiphon_run_seconds", "Time that a batch took.", LABELS, buckets=SECONDS, registry=kept
        )
        self._load = Histogram(
            "antiphon_model_load_seconds", "Time to load a model.", LABELS, buckets=SECONDS, registry=kept
        )
        self._work = Counter("antiphon_work_seconds", "Time that models worked.", LABELS, registry=kept)
        self._sound = Counter(
            "antiphon_sound_seconds",
            "Seconds of sound worked on; work / sound is the RTF.",
            LABELS,
            registry=kept,
        )
        self._frames = Counter(
            "antiphon_frames", "Encoder frames (10 ms each) that windows took.", LABELS, registry=kept
        )
        self._saved = Counter(
            "antiphon_frames_saved",
            "Encoder frames that full windows would have taken beyond those.",
            LABELS,
            registry=kept,
        )
        self._redone = Counter(
            "antiphon_redone",
            "Rounds whose cheap result was doubted and done again, by what was added.",
            (*LABELS, "with"),
            registry=kept,
        )
        self._fallbacks = Counter(
            "antiphon_fallbacks", "Windows decoded again at a higher temperature.", LABELS, registry=kept
        )
        self._cancelled = Counter(
            "antiphon_cancelled",
            "Rows dropped because nobody waited for them any more.",
            LABELS,
            registry=kept,
        )
        self._failed = Counter("antiphon_failed", "Rows at which a model failed.", LABELS, registry=kept)

    def requested(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """One request has been answered. `route`: its template, None for a path that is none."""
        known = method if method in METHODS else "other"
        self._requests.labels(route or "none", known, str(status)).inc()
        self._answers.labels(route or "none").observe(seconds)

    def queued(self, model: str, jobs: int, seconds: float) -> None:
        self._jobs.labels(model).set(jobs)
        self._seconds.labels(model).set(seconds)

    def worked(self, model: str, waits: Sequence[float], sound: float, seconds: float) -> None:
        """One batch: how long each row waited, seconds of sound in it, seconds of work."""
        for wait in waits:
            self._wait.labels(model).observe(wait)
        self._rows.labels(model).observe(len(waits))
        self._sound.labels(model).inc(sound)
        self._work.labels(model).inc(seconds)
        self._run.labels(model).observe(seconds)

    def transcribed(self, model: str, result: WindowResult) -> None:
        """What one window took."""
        cost = result.cost
        self._frames.labels(model).inc(cost.frames)
        self._saved.labels(model).inc(cost.saved)
        self._redone.labels(model, "full window").inc(cost.reencoded)
        self._redone.labels(model, "beam").inc(cost.beamed)
        self._fallbacks.labels(model).inc(cost.fallbacks)

    def loaded(self, model: str, seconds: float) -> None:
        """A model is in memory after so many seconds."""
        self._load.labels(model).observe(seconds)

    def cancelled(self, model: str, jobs: int) -> None:
        self._cancelled.labels(model).inc(jobs)

    def failed(self, model: str, jobs: int) -> None:
        self._failed.labels(model).inc(jobs)

    def page(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)
