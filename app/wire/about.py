"""The object of GET /v1/about, an extension. Law: pure."""

from __future__ import annotations

from typing import Any

from app.domain import About


def about_object(about: About) -> dict[str, Any]:
    return {
        "object": "about",
        "version": about.version,
        "limits": dict(about.limits),
        "features": dict(about.features),
        "organisation": about.organisation,
        "consent_phrases": dict(about.phrases),
    }
