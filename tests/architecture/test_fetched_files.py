"""No module may load a file in a way that lets the file run code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

UNPICKLERS = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
LOADERS = {
    "from_pretrained",
    "load_from_checkpoint",
    "unsafe_load",
    "full_load",
    "eval",
    "exec",
    "__import__",
}
ALLOWED = {
    ("app/runtime/pipe.py", "pickle"),  # the server and its own processes, over an unnamed socket
    ("app/runtime/ray_messages.py", "pickle"),  # the server and a cluster of which it has the token
    ("engines/pyannote/safe_loading.py", "pickle"),  # only names an exception in an `except`
    ("engines/pyannote/safe_loading.py", "import_module"),  # imports a module that a list of ours names
    ("engines/pyannote/safe_loading.py", "from_pretrained"),  # loads the scoring, two arrays, by NumPy
    ("engines/pyannote/setup.py", "from_pretrained"),  # loads a model that the operator trusts
}
"""The uses of such functions that are safe, each with its reason."""


def uses(tree: ast.AST) -> Iterator[str]:
    """Names of what can run code from a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _call(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    owner = getattr(getattr(node.func, "value", None), "id", "")
    given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
    # `model.eval()` of PyTorch switches to inference; only the built-in function runs text.
    if name in LOADERS and not (name == "eval" and isinstance(node.func, ast.Attribute)):
        yield name
    if name == "import_module":
        yield name
    if (owner, name) == ("torch", "load") and given.get("weights_only") is not True:
        yield "torch.load"
    if (owner, name) == ("yaml", "load") or given.get("allow_pickle"):
        yield name


def test_nothing_loads_files_that_could_run() -> None:
    seen = set()
    for package in ("app", "engines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            seen |= {(where, use) for use in uses(ast.parse(path.read_text()))}
    assert seen == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from pickle import load", "import dill", "torch.load(p)",
        "np.load(p, allow_pickle=True)", "torch.load(p, weights_only=False)", "yaml.load(t, Loader=x)",
        "yaml.unsafe_load(t)", "eval(t)", "exec(t)", "Model.from_pretrained(p)",
        "importlib.import_module(n)", "__import__(n)", "K.load_from_checkpoint(p)",
    ],
)  # fmt: skip
def test_the_check_sees_each_of_them(line: str) -> None:
    assert list(uses(ast.parse(line)))


def test_the_check_lets_the_others_pass() -> None:
    lines = (
        "torch.load(p, weights_only=True)",
        "np.load(p)",
        "yaml.safe_load(t)",
        "json.load(f)",
        "model.eval()",
    )
    assert not list(uses(ast.parse("\n".join(lines))))
