"""What the decoder attends to."""

from __future__ import annotations

import numpy as np

from engines.common.onnx_parts import as_bfloat16
from engines.whisper.heard_rows import HeardRows
from engines.whisper.timestamp_rules import IMPOSSIBLE

KEYS = np.random.default_rng(3).normal(0, 1, (4, 2, 3, 5, 8)).astype(np.float32)
"""Of two layers, two rows, three heads, five positions."""


def added() -> np.ndarray:
    """The first row has three positions."""
    numbers = np.zeros((2, 1, 1, 5), np.float32)
    numbers[0, ..., 3:] = IMPOSSIBLE
    return numbers


def heard_rows() -> HeardRows:
    return HeardRows(KEYS.copy(), added())


def test_rows_are_moved_and_none_is_lost() -> None:
    heard = heard_rows()
    heard.bring([1])
    assert np.array_equal(heard.keys[:, 0], KEYS[:, 1])
    assert np.array_equal(heard.added[1], added()[0])
    heard.bring([0, 1])
    assert np.array_equal(heard.keys, KEYS)
    assert np.array_equal(heard.added, added())


def test_some_rows_are_of_the_same_arrays_wherever_they_are() -> None:
    heard = heard_rows()
    heard.bring([1])
    some = heard.take([1])
    assert (len(heard), len(some)) == (2, 1)
    assert np.shares_memory(some.keys, heard.keys)
    assert np.array_equal(some.keys_of_head(1, 2), KEYS[2, 1, 2])
    assert np.array_equal(some.alone(0).keys, KEYS[:, 1:])
    some.bring([0])
    assert np.array_equal(heard.alone(0).keys, KEYS[:, :1, :, :3])
    assert np.array_equal(heard.take([1, 0]).take([1]).alone(0).keys, KEYS[:, :1, :, :3])


def test_a_row_alone_has_no_more_positions_than_it_has() -> None:
    heard = HeardRows(KEYS, added())
    assert np.array_equal(heard.alone(0).keys, KEYS[:, :1, :, :3])
    assert np.array_equal(heard.alone(1).keys, KEYS[:, 1:])


def test_a_row_that_is_as_long_as_all_is_not_copied() -> None:
    heard = HeardRows(KEYS, added())
    assert np.shares_memory(heard.alone(1).keys, KEYS)
    assert not np.shares_memory(heard.alone(0).keys, KEYS)


def test_the_keys_of_a_head_are_told_from_its_values() -> None:
    assert np.array_equal(HeardRows(KEYS, added()).keys_of_head(1, 2), KEYS[2, 0, 2, :3])


def test_keys_in_bfloat16_are_read() -> None:
    heard = HeardRows(as_bfloat16(KEYS), added())
    assert np.allclose(heard.keys_of_head(0, 1), KEYS[0, 0, 1, :3], rtol=2**-8)
