"""The Kokoro engine on ONNX Runtime, and voices matched with its stock voices."""
