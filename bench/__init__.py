"""Benches that anyone can run."""
