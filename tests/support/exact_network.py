"""Networks with the weights as they are, so that results can be compared digit by digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.whisper.file_matrix import FileMatrix
from engines.whisper.network_parts import NetworkParts

if TYPE_CHECKING:
    from openvino import Node


class ExactParts(NetworkParts):
    """Keeps matrices in float32."""

    def int8(self, weight: FileMatrix) -> Node:
        return self.constant(weight.whole())
