"""The Whisper engine on OpenVINO or CTranslate2."""
