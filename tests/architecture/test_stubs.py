"""The stubs in `stubs/` name only what the installed libraries have."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.conftest import ROOT

STUBS = sorted((ROOT / "stubs").rglob("*.pyi"))


def module_of(stub: Path) -> str:
    parts = stub.relative_to(ROOT / "stubs").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def names(body: list[ast.stmt]) -> list[str]:
    """Functions, classes and values of a stub. A class that the library exports nowhere begins with `_`."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [node.name for node in body if isinstance(node, kinds) and not node.name.startswith("_")]
    assigned = [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return [*found, *(target.id for target in assigned if isinstance(target, ast.Name))]


@pytest.mark.parametrize("stub", STUBS, ids=module_of)
def test_every_name_exists(stub: Path) -> None:
    module = importlib.import_module(module_of(stub))
    tree = ast.parse(stub.read_text("utf-8"))
    missing = [name for name in names(tree.body) if not hasattr(module, name)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            kind = getattr(module, node.name)
            # Attributes that a constructor sets are not seen on the class.
            methods = [member.name for member in node.body if isinstance(member, ast.FunctionDef)]
            missing += [f"{node.name}.{name}" for name in methods if not hasattr(kind, name)]
    assert not missing
