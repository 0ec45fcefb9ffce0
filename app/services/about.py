"""Facts about this server, so that clients can check limits before they upload.

Law: reads settings and phrases; asks no model and no database.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain import About
from app.text.consent_phrases import PHRASES, expected_phrase


class AboutService:
    """Gives the facts that do not change while the server runs."""

    def __init__(
        self,
        *,
        version: str,
        limits: Mapping[str, float],
        features: Mapping[str, bool | str],
        organisation: str,
    ) -> None:
        """`limits`: name -> greatest value that a request may have."""
        phrases = {language: expected_phrase(language, organisation) or "" for language in PHRASES}
        self._about = About(
            version=version, limits=limits, features=features, organisation=organisation, phrases=phrases
        )

    def about(self) -> About:
        return self._about
