"""Antiphon: a self-hosted server that speaks the OpenAI Audio API."""

import engines  # noqa: F401 - decides how many threads NumPy has, before NumPy is imported

__version__ = "0.2.0"
