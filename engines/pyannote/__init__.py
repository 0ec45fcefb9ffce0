"""Diarization with pyannote.audio."""
