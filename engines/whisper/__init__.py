"""The Whisper engine on CTranslate2."""
