"""Speaker diarization on ONNX Runtime, numpy and scipy."""
