"""Metrics of requests and of the server as a whole; names of HTTP metrics are OpenTelemetry's.

Law: counts only, and no label holds what a client sent: routes are templates, error types are codes of our
own, models are those that are installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app import __version__

DURATION_BUCKETS = (0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600)
FIRST_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 4, 8, 16, 60)
DECODE_BUCKETS = (0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30, 100)
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""Methods with a label of their own. All others are counted as `other`, because a client
can send any word.
"""
STATES = ("idle", "loading", "loaded", "failed")
PROBLEMS = ("database", "disk", "memory", "model")


def known_method(method: str) -> str:
    """The label for a request's method: the method itself if HTTP defines it, else `other`."""
    return method if method in METHODS else "other"


class HttpMeters:
    """Metrics of requests and their answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        times = partial(Histogram, registry=registry)
        self._duration = times(
            "http_server_request_duration_seconds",
            "Time from a request to the end of its answer.",
            ("method", "route", "status", "error_type"),
            buckets=DURATION_BUCKETS,
        )
        self._active = Gauge(
            "http_server_active_requests", "Requests that are being answered.", ("method",), registry=registry
        )
        self._first = times(
            "antiphon_first_output_seconds",
            "Time from a request to the first text of a stream, or to its first sound.",
            ("model", "kind"),
            buckets=FIRST_BUCKETS,
        )
        self._refused = Counter(
            "antiphon_refused",
            "Requests refused because a limit of the server or of their key was reached.",
            ("reason",),
            registry=registry,
        )
        self._decode = times(
            "antiphon_decode_seconds", "Time that decoding one audio took.", buckets=DECODE_BUCKETS
        )

    def began(self, method: str) -> None:
        self._active.labels(known_method(method)).inc()

    def ended(self, method: str) -> None:
        self._active.labels(known_method(method)).dec()

    def answered(
        self, method: str, route: str | None, status: int, seconds: float, *, error_type: str
    ) -> None:
        """Measures an answered request. `route`: its template; None for an unknown path. `error_type`:
        the error's code, or empty.
        """
        self._duration.labels(known_method(method), route or "none", str(status), error_type).observe(seconds)

    def first_output(self, model: str, kind: str, seconds: float) -> None:
        """Measures the time until the first output of an answer. `kind`: `event` or `sound`."""
        self._first.labels(model, kind).observe(seconds)

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def decoded(self, seconds: float) -> None:
        self._decode.observe(seconds)


class ServerMeters:
    """Facts about the server that are measured when /metrics is requested."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, registry=registry)
        gauge("antiphon_build_info", "This server; the value is 1.", ("version",)).labels(__version__).set(1)
        self._state = gauge("antiphon_model_state", "Whether a model is in this state.", ("model", "state"))
        self._uploads = gauge("antiphon_uploads", "Uploads that are being received.")
        self._ready = gauge("antiphon_ready", "Whether the server can work, as /health/ready says.")
        self._problem = gauge("antiphon_problem", "Whether this keeps the server from working.", ("what",))
        self._key_ends = gauge(
            "antiphon_key_expires_timestamp_seconds",
            "Unix time at which the next valid key expires that no other has replaced; +Inf: none does.",
        )

    def tell(
        self,
        *,
        states: Mapping[str, str],
        uploads: int,
        problems: Mapping[str, str],
        key_expires: float,
    ) -> None:
        """Sets the facts that are measured for each answer of /metrics. `states`: of the models that were
        used. `problems`: those that /health/ready tells, by name.
        """
        for model, current in states.items():
            for state in STATES:
                self._state.labels(model, state).set(state == current)
        self._uploads.set(uploads)
        self._ready.set(not problems)
        found = {name if name in PROBLEMS else "model" for name in problems}
        for what in PROBLEMS:
            self._problem.labels(what).set(what in found)
        self._key_ends.set(key_expires)
