"""What can go wrong with weights. Law: messages are whole sentences that say which command helps."""

from __future__ import annotations


class WeightsError(Exception):
    """Weights cannot be had or used; the message says why and which command helps."""


class MirrorError(Exception):
    """One place does not deliver a file; the message is a short reason, and the next place is asked."""
