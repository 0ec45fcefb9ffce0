"""Prepares text for speech. Law: pure; no engine, no sound."""
