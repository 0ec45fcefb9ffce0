"""The OpenAI shapes. Law: pure; values in, values or bytes out."""
