"""Checks which libraries are installed, without importing them. Law: looks for modules and loads none."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec


@cache
def installed(*modules: str) -> bool:
    """Whether all of `modules` can be imported, as far as their files tell."""
    try:
        return all(find_spec(module) is not None for module in modules)
    except (ModuleNotFoundError, ValueError):  # a parent package is absent, or was replaced by None
        return False
