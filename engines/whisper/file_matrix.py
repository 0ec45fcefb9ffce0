"""Matrices of a model file, which are turned into float32 part by part.

A whole copy of a matrix in float32 is four times as large as the int8 that is made of it, and NumPy spends
more time on fetching it from memory than on computing with it.

Law: numbers in, numbers out; nothing is known here of networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Widened: TypeAlias = NDArray[np.float32]
"""Numbers of a file as float32."""
VALUES_AT_ONCE = 131_072
"""Values that are computed with at once: half a megabyte, which the processor keeps in its cache."""
LARGEST_INT8 = 127
HALF_SIGN_AND_VALUE = np.array(0x8FFFE000, np.uint32).view(np.int32)[()]
"""The bits of a float32 into which the sign and the digits of a float16 are moved."""
EXPONENT_OF_HALVES = np.float32(2.0**112)
"""A number is smaller by this factor when the exponent of its float16 is read as that of a float32."""


@dataclass(frozen=True, slots=True)
class FileMatrix:
    """A matrix (rows, columns), with factors."""

    values: NDArray[Any]
    """As they are in the file: int8, float16 or float32."""
    divisors: Widened | None = None
    """For int8: by what each row is divided."""
    factor: float = 1.0
    factors: Widened | None = None
    """One for each column."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def rows(self, which: slice) -> FileMatrix:
        divisors = None if self.divisors is None else self.divisors[which]
        return replace(self, values=self.values[which], divisors=divisors)

    def times(self, factor: float) -> FileMatrix:
        return replace(self, factor=self.factor * factor)

    def columns_times(self, factors: Widened) -> FileMatrix:
        """With each column multiplied by its factor, where there were no such factors before."""
        assert self.factors is None
        return replace(self, factors=factors)

    def parts(self) -> Iterator[tuple[slice, Widened]]:
        """Some rows after the others, in float32. Each array may be overwritten; the next takes its place."""
        rows, columns = self.shape
        step = max(1, VALUES_AT_ONCE // columns)
        room = np.empty((min(rows, step), columns), np.float32)
        for at in range(0, rows, step):
            which = slice(at, min(at + step, rows))
            part = room[: which.stop - at]
            self._fill(part, which)
            yield which, part

    def whole(self) -> Widened:
        made = np.empty(self.shape, np.float32)
        for which, part in self.parts():
            made[which] = part
        return made

    def largest_of_columns(self) -> Widened:
        """The greatest size in each column."""
        found = np.zeros(self.shape[1], np.float32)
        for _, part in self.parts():
            np.maximum(found, largest(part, axis=0), out=found)
        return found

    def in_int8(self, whole: NDArray[np.int8]) -> Widened:
        """Writes whole numbers from -127 to 127 into `whole`; returns for each row by what they are
        multiplied: (rows, 1).
        """
        scales = np.empty((self.shape[0], 1), np.float32)
        for which, part in self.parts():
            greatest = np.maximum(largest(part, axis=1), np.finfo(np.float32).tiny)
            scales[which, 0] = greatest / np.float32(LARGEST_INT8)
            np.divide(part, scales[which], out=part)
            whole[which] = np.rint(part, out=part)
        return scales

    def _fill(self, part: Widened, which: slice) -> None:
        values = self.values[which]
        if values.dtype == np.float16:
            _widen(values, part)
        else:
            part[:] = values
        if self.divisors is not None:
            part /= self.divisors[which][:, None]
        if self.factor != 1:
            part *= np.float32(self.factor)
        if self.factors is not None:
            part *= self.factors


def largest(matrix: Widened, axis: int) -> Widened:
    """The greatest size along an axis, without a copy of the matrix."""
    return np.asarray(np.maximum(matrix.max(axis=axis), -matrix.min(axis=axis)))


def _widen(halves: NDArray[np.float16], into: Widened) -> None:
    """Turns float16 into float32 by their bits, for which NumPy takes a third of the time of `astype`.

    The sign moves to the end, all else to its place; then the exponent, which counts from 15 instead of 127,
    is corrected. The numbers are finite.
    """
    bits = into.view(np.int32)
    bits[:] = halves.view(np.int16)
    bits <<= 13
    bits &= HALF_SIGN_AND_VALUE
    into *= EXPONENT_OF_HALVES
