"""The Piper engine on ONNX Runtime, and on OpenVINO where that is quicker."""

from engines.piper.engine import COST, HONOURS, QUALITY, load, voices

__all__ = ["COST", "HONOURS", "QUALITY", "load", "voices"]
