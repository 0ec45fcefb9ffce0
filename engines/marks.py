"""Punctuation of all scripts. Law: data only; everybody who looks for the end of a sentence takes it here."""

from __future__ import annotations

SENTENCE_ENDS = tuple(".!?…。！？")  # noqa: RUF001 - full-width marks are meant
CLAUSE_ENDS = tuple(",;:–—、，；：")  # noqa: RUF001 - full-width marks are meant
