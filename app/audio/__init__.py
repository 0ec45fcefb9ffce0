"""Decodes and encodes sound. Law: only this package imports PyAV."""
