"""Text on its way to speech. Law: pure; no engine, no sound."""
