"""Punctuation of all scripts. Law: data only; all code that looks for the end of a sentence uses
this file.
"""

from __future__ import annotations

SENTENCE_ENDS = tuple(".!?…。！？")  # noqa: RUF001 - full-width marks are meant
CLAUSE_ENDS = tuple(",;:–—、，；：")  # noqa: RUF001 - full-width marks are meant
