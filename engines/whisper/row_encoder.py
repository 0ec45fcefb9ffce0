"""How the rows of a batch are encoded: each with its sound and some seconds of silence after it.

Law: how much silence, and by which library; what becomes of the encodings is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engines.heap import return_free_memory
from engines.types import Samples
from engines.whisper.ctranslate2_arrays import Encoded, as_rows, join_rows, numbers
from engines.whisper.encoded_silence import EncodedSilence, Silence
from engines.whisper.openvino_encoder import OpenVinoEncoder
from engines.whisper.rows import (
    COARSE_GRID_FRAMES,
    ENCODED_GRID_FRAMES,
    FRAMES_PER_POSITION,
    FULL_FRAMES,
    GRID_FRAMES,
    MEASURED_WIDTHS,
    PADDING_FRAMES,
    PADDING_UNMEASURED,
    QUICK_PADDING_FRAMES,
    SILENCE_FEATURE,
    USUAL_SILENCE_FEATURE,
    Row,
)

if TYPE_CHECKING:
    from faster_whisper import WhisperModel


class RowEncoder:
    """Encodes rows by CTranslate2, or by a quick encoder of the same measured model."""

    def __init__(
        self,
        model: WhisperModel,
        quick: OpenVinoEncoder | None,
        *,
        adaptive: bool,
        for_openvino: bool = False,
    ) -> None:
        """`adaptive`: encode the sound and a few seconds of silence, not always 30 seconds. `for_openvino`:
        CTranslate2 does not decode what `quick` encodes, so that it need not be imported.
        """
        self._model = model
        self._for_openvino = for_openvino
        self.quick = quick
        self._on_cpu = model.model.device == "cpu"
        short = self._short_padding() if adaptive else None
        self._padding = QUICK_PADDING_FRAMES if quick and adaptive else short
        self._draft_padding = short
        # A GPU encodes a full window in some milliseconds, so that no accuracy is risked there for a length
        # that nobody has measured.
        if short == PADDING_UNMEASURED and not self._on_cpu:
            self._padding = None
        self.tight = self._on_cpu and short == PADDING_FRAMES
        self.grid = COARSE_GRID_FRAMES if self.tight or not self._on_cpu else GRID_FRAMES
        self._silence = EncodedSilence(self._encode_silence) if self.tight else None

    def close(self) -> None:
        if self._silence:
            self._silence.close()

    def rest(self) -> None:
        """Gives back what OpenVINO keeps for the next call. Silence is encoded before, if it was not yet."""
        if self.quick:
            if self._silence:
                self._silence.value()
            self.quick.rest()

    def padding(self, *, draft: bool = False) -> int | None:
        """Frames of silence after the sound of a short encoding; None: every encoding is a full one."""
        return self._draft_padding if draft else self._padding

    def encode(self, rows: Sequence[Row]) -> Encoded:
        """The encodings (rows, positions, width). On a CPU each row is encoded alone, because its caches hold
        only one; rows of other sizes than the largest end in zeros.
        """
        if not self._on_cpu:
            return self._model.encode(np.stack([row.piece(row.size) for row in rows]))
        alone = [self._encoded(row) for row in rows]
        made = alone[0]
        if len(rows) > 1 or rows[0].encoded != rows[0].size:
            silence = self._silence.value().encoded if self._silence else None
            made = join_rows(alone, [row.size // FRAMES_PER_POSITION for row in rows], silence)
        if self._for_openvino and sum(row.size for row in rows) > FULL_FRAMES:
            return_free_memory()  # takes some 3 ms, too long for a short clip that is alone
        return as_rows(made) if isinstance(made, np.ndarray) and not self._for_openvino else made

    def _encoded(self, row: Row) -> Encoded:
        """Drafts are made again and again, and attend to no silence that is not encoded with them."""
        features = row.piece(row.encoded)[None]
        if not self.quick:
            return self._model.encode(features)
        attends = self._silence is not None and not row.draft and not row.full
        silence = self._silence.value().attended if self._silence and attends else None
        return self.quick.encode(features, silence)

    def _short_padding(self) -> int:
        """Frames of silence after the sound of a short encoding, by the width of the encoder."""
        if self.quick:
            return PADDING_FRAMES  # there are none for other models than the measured ones
        width = self._model.encode(self._quiet(ENCODED_GRID_FRAMES)).shape[2]
        return PADDING_FRAMES if width in MEASURED_WIDTHS else PADDING_UNMEASURED

    def _encode_silence(self) -> Silence:
        if self.quick:
            return Silence(*self.quick.encode_silence(self._quiet(FULL_FRAMES, USUAL_SILENCE_FEATURE)))
        return Silence(numbers(self._model.encode(self._quiet(FULL_FRAMES))).copy())

    def _quiet(self, frames: int, feature: float = SILENCE_FEATURE) -> Samples:
        bands = self._model.feature_extractor.mel_filters.shape[0]
        return np.full((1, bands, frames), feature, np.float32)
