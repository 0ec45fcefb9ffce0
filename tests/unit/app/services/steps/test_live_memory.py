"""A live session gets all the memory that it asks for, or none of it."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.runtime.admission import Admission
from app.services.steps.live_memory import CLAIM_SECONDS, SoundClaim


def test_a_claim_that_is_refused_keeps_nothing() -> None:
    admission = Admission(2, 60, held=3 * CLAIM_SECONDS / 2)
    with admission.admit() as permit:
        claim = SoundClaim(permit)
        with pytest.raises(InvalidRequest):
            claim.reach(10 * CLAIM_SECONDS)
        assert admission.held == CLAIM_SECONDS / 2
        claim.reach(3 * CLAIM_SECONDS)
        assert admission.held == 3 * CLAIM_SECONDS / 2
    assert admission.held == 0
