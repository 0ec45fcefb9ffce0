"""Finds models and voices by name, and stores the weights of models."""
