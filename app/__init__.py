"""Antiphon: a self-hosted server that speaks the OpenAI Audio API."""

__version__ = "0.2.0"
