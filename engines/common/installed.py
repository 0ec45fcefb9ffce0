"""Finds libraries without importing all that they import themselves."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


@cache
def installed(*modules: str) -> bool:
    """Whether all of `modules` can be imported, as far as their files tell."""
    try:
        return all(find_spec(module) is not None for module in modules)
    except (ModuleNotFoundError, ValueError):  # a parent package is absent, or was replaced by None
        return False


@cache
def module_alone(package: str, name: str) -> ModuleType:
    """The module `name` of a package, without what the package imports when it is imported. Raises
    `ImportError`.
    """
    if known := sys.modules.get(f"{package}.{name}"):
        return known
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    file = Path(next(iter(found.submodule_search_locations))) / f"{name}.py"
    spec = spec_from_file_location(f"{package}_{name}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ModuleNotFoundError(f"No module named '{package}.{name}'", name=f"{package}.{name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
