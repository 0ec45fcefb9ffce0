"""Helpers that several engines share: cores, ONNX Runtime sessions, PyTorch's threads."""
