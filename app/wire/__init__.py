"""Requests and answers in OpenAI's formats. Law: pure; values in, values or bytes out."""
