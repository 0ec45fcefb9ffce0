from __future__ import annotations

import pytest

from bench.windows import CHEAP, FULL, Score, report, score


def test_errors_are_counted_in_words_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    scores: dict[str, Score] = {}
    for name, said in ((FULL, "one two three"), (CHEAP, "one two tree")):
        score(name, said, 1.0, scores, "one two three", "one two three")
        score(name, said, 1.0, scores, None, "one two three")
    report("clean", scores, truths=True)
    full, cheap = capsys.readouterr().out.splitlines()[-2:]
    assert "WER   0.00 %" in full
    assert "WER  33.33 %" in cheap
    assert "unlike full 33.33 % (2 of 6)" in cheap
