"""Helpers of tests: generated sound, real servers, and fake engines."""
