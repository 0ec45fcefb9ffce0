"""Promises of the project itself: imports, docs, lock, container."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from app.container import Container
from app.main import create_app
from app.settings import Settings
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEAVY = {
    "torch",
    "torchaudio",
    "pyannote",
    "scipy",
    "ctranslate2",
    "onnxruntime",
    "av",
    "faster_whisper",
    "openvino",
    "alembic",
    "httpx2",
    "typer",
    "rich",
}


@pytest.mark.parametrize(
    "module",
    [
        "app.main",
        "engines.contracts",
        "engines.catalog",
        "engines.whisper.engine",
        "engines.pyannote.engine",
        "engines.speakers.engine",
    ],
)
def test_heavy_libraries_are_imported_only_when_used(module: str) -> None:
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert not loaded & HEAVY
    assert "numpy" in loaded


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[<>=!;\[ ]", requirement)[0] for requirement in requirements}
    return found - {"antiphon"}


def test_every_dependency_has_its_reason() -> None:
    declared = names(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        declared |= names(extra)
    text = (ROOT / "docs/dependencies.md").read_text()
    rows = re.findall(r"^\| ([\w.,\- ]+) \|", text, re.MULTILINE)
    told = {name.strip() for row in rows for name in row.split(",")} - {"package"}
    assert told == declared


@pytest.mark.parametrize("name", ["default", "all", "dev", "gpu", "otel", "ray"])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    lines = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ").splitlines()
    for line in [line for line in lines if line and not line.startswith("#")]:
        assert re.match(r"[\w.\-\[\]]+==\S+", line), line
        assert "--hash=sha256:" in line


def test_the_lock_holds_what_the_project_asks_for() -> None:
    locked = (ROOT / "requirements/dev.txt").read_text().lower()
    wanted = names(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["whisper"])
    wanted |= names(PROJECT["optional-dependencies"]["dev"])
    assert all(f"{name}==" in locked or f"{name}[" in locked for name in wanted)
    light = (ROOT / "requirements/default.txt").read_text()
    assert not re.search(r"^(torch|nvidia-(?!ml-py)|triton)", light, re.MULTILINE)
    for name in ("gpu", "otel", "ray"):
        lines = (ROOT / f"requirements/{name}.in").read_text().splitlines()
        assert lines == PROJECT["optional-dependencies"][name]


def recipe(target: str) -> str:
    text = (ROOT / "Makefile").read_text()
    found = re.search(rf"^{target}:[^\n]*\n((?:\t[^\n]*\n)+)", text, re.MULTILINE)
    assert found, target
    return found[1]


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([\w-]+):(?!=)", text, re.MULTILINE)
    listed = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert listed
    assert set(targets) == set(listed[1].split())
    command = ["make", "--no-print-directory", "help"]  # the tests themselves may run below `make`
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in told.splitlines()] == targets


def test_the_container_runs_make_s_own_commands() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "RUN make install GPU=0 ALL=$ALL" in text
    command = re.search(r"^CMD \[(.*)\]$", text, re.MULTILINE)
    assert command
    words = [word.strip().strip('"') for word in command[1].split(",")]
    assert recipe("serve").strip() == " ".join(words).replace(".venv/bin", "$(BIN)")
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split()), source
        ignored = (ROOT / ".dockerignore").read_text()
        assert all(f"!{name}\n" in ignored for name in source.split()), source


def test_an_image_is_one_base_by_digest_with_a_numeric_user() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    names = {name for _, name in stages}
    assert all(base == "${BASE}" or base in names for base, _ in stages)
    assert stages[-1] == ("cpu", "default"), "a build without --target makes the last stage"
    assert {name for base, name in stages if base == "run"} == {"cpu", "gpu"}
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:0"]


def test_ci_runs_the_tests_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if not line.startswith("#")]
    assert lines[-1] == "make test"
    installs = [line for line in lines if "install" in line and "echo" not in line]
    assert len(installs) == 1
    assert installs[0].endswith("||")  # if apt fails, the tests still run
    assert "make test" in (ROOT / "README.md").read_text()
    assert "make serve" in (ROOT / "README.md").read_text().split("## ")[0]


def test_every_endpoint_is_documented(tmp_path: Path) -> None:
    settings = Settings.model_validate({"storage": {"folder": tmp_path}})
    app = create_app(Container(settings))
    text = (ROOT / "docs/api.md").read_text()
    paths = app.openapi()["paths"]
    assert len(paths) >= 9
    for path in paths:
        assert f"{path}`" in text, path


def test_a_unit_test_has_the_name_of_its_module() -> None:
    """`tests/unit` mirrors the packages: `test_MODULE.py`, or `test_MODULE_SUBJECT.py` where a module has
    several files of tests; `__init__.py` has the name of its folder. What concerns
    several modules stands elsewhere in `tests/`.
    """
    unit = ROOT / "tests/unit"
    files = sorted(unit.rglob("test_*.py"))
    assert len(files) > 100
    for path in files:
        folder = ROOT / path.parent.relative_to(unit)
        tested = path.stem.removeprefix("test_") + "_"
        names = [module.stem.replace("__init__", folder.name) for module in folder.glob("*.py")]
        assert any(tested.startswith(f"{name}_") for name in names), path


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file; the tests do not change it."""
    return ast.parse(path.read_text())


def modules() -> list[Path]:
    return [path for folder in ("app", "engines") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_files_and_functions_stay_small() -> None:
    for path in modules():
        tree = tree_of(path)
        assert len(path.read_text().splitlines()) <= 300, path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node) or ""
                lines = (node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())
                assert lines <= 30, f"{path}: {node.name}"


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The names of a module that are assigned, and their values."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (name for target in targets for name in ast.walk(target)):
                if isinstance(name, ast.Name):
                    yield name.id, node.value


def named_types(path: Path) -> Iterator[str]:
    """The classes of a module, and the other names of types: `Name = ...` in capitals and small letters.

    A `TypeVar` means nothing outside its module, and neither does an option of a command (`Annotated`), which
    has the name of the option.
    """
    tree = tree_of(path)
    yield from (node.name.strip("_") for node in tree.body if isinstance(node, ast.ClassDef))
    for name, value in assigned(tree):
        bare, text = name.strip("_"), ast.unparse(value)
        is_option = path.parent == ROOT / "app/cli" and text.startswith("Annotated[")
        if bare[0].isupper() and not bare.isupper() and not text.startswith("TypeVar(") and not is_option:
            yield bare


def test_a_type_is_named_once() -> None:
    places: dict[str, list[str]] = {}
    for path in modules():
        for name in named_types(path):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert len(places) > 100
    assert {"Runner", "Task", "FieldKind"} <= set(places)
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}


def test_a_constant_that_others_import_is_named_once_in_its_folder() -> None:
    """Who reads one file of a folder should not find another value under a name that they know."""
    trees = {path: tree_of(path) for path in modules()}
    imported = {
        (ROOT / node.module.replace(".", "/")).parent / alias.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.name.isupper()
    }
    places: dict[Path, list[str]] = {}
    for path, tree in trees.items():
        for name in {name for name, _ in assigned(tree)}:
            if path.parent / name in imported:
                places.setdefault(path.parent / name, []).append(path.name)
    assert len(places) > 100
    assert not {str(name): files for name, files in places.items() if len(files) > 1}


def test_a_docstring_says_more_than_what_is_raised() -> None:
    """ "Raises `X`." or "False if ..." alone leaves out what a function gives or does."""
    bare = re.compile(r"((False|None) if [^.;]*\.|Raises `\w+`(, `\w+`)*( or `\w+`)?\.|Blocks\.|Seconds\.)")
    checked = 0
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node) or ""
                checked += docstring != ""
                assert not bare.fullmatch(docstring), f"{path}: {node.name}"
    assert checked > 500


def test_rules_and_options_are_keyword_only() -> None:
    """Two settings of one type must not be swapped by their position."""
    checked = 0
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ClassDef) or not node.name.endswith(("Rules", "Options", "Limits")):
                continue
            decorators = [ast.unparse(one) for one in node.decorator_list]
            if any(one.partition("(")[0].endswith("dataclass") for one in decorators):
                checked += 1
                assert any("kw_only=True" in one for one in decorators), f"{path}: {node.name}"
    assert checked >= 15


CROSSING = (
    "engines/work.py",
    "engines/contracts.py",
    "engines/types.py",
    "app/runtime/runner.py",
    "app/runtime/lane_runner.py",
    "app/runtime/lane.py",
    "app/runtime/queue.py",
)
"""Files with the types of what crosses to an engine or comes back."""


def names_in(tree: ast.AST) -> list[str]:
    """All names in a tree, attributes (`typing.Any`) and types in quotes too."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.append(node.id)
        elif isinstance(node, ast.Attribute):
            found.append(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += re.findall(r"(?:^|[\[,| .])(Any)(?:$|[\],|])", node.value)
    return found


def test_no_work_of_an_engine_is_of_any_type() -> None:
    """Whatever crosses to an engine or comes back is typed: `Any` would hide a wrong job until it runs."""
    for path in CROSSING:
        words = names_in(ast.parse((ROOT / path).read_text()))
        assert "Any" not in words, path
        assert len(words) > 20, path
    assert names_in(ast.parse("def f(a: 'list[typing.Any]') -> t.Any: ...")).count("Any") == 2


def is_number(value: ast.expr) -> bool:
    """A number, or a calculation or tuple of numbers."""
    match value:
        case ast.Constant():
            return isinstance(value.value, int | float) and not isinstance(value.value, bool)
        case ast.BinOp():
            return is_number(value.left) or is_number(value.right)
        case ast.UnaryOp():
            return is_number(value.operand)
        case ast.Tuple():
            return bool(value.elts) and all(is_number(element) for element in value.elts)
    return False


def named_numbers(tree: ast.Module) -> Iterator[str]:
    """The names of the constants of a module that are numbers."""
    return (name.strip("_") for name, value in assigned(tree) if name.isupper() and is_number(value))


def test_a_number_says_what_it_is_and_of_what() -> None:
    """`MARGIN`, `RATE` or `SECONDS` alone say nothing: the name of a number has two words, but for units, for
    what the system calls so, and for the attributes of engines that `engines/contracts.py` explains.
    """
    plain = {"GIB", "MIB", "SIGKILL", "COST", "QUALITY", "RATE"}
    checked = 0
    for path in modules():
        for name in named_numbers(tree_of(path)):
            checked += 1
            assert "_" in name or name in plain, f"{path}: {name}"
    assert checked > 200


def test_the_app_sees_of_engines_an_allow_list() -> None:
    """A new engine must be added to the contract that hides it and to the one that keeps it independent."""
    values = {"catalog", "contracts", "errors", "types", "work"}
    helpers = {
        "cores",
        "cuda_libraries",
        "gpus",
        "heap",
        "openvino_library",
        "punctuation",
        "writing_scripts",
    }
    names = {path.stem for path in (ROOT / "engines").iterdir() if path.suffix == ".py" or path.is_dir()}
    engines = names - values - helpers - {"__init__", "__pycache__", "common"}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    hidden = next(c["protected_modules"] for c in contracts if "only contracts and values" in c["name"])
    independent = next(c["modules"] for c in contracts if c["type"] == "independence")
    assert set(hidden) == {f"engines.{name}" for name in {*engines, "common"}}
    assert set(independent) == {f"engines.{name}" for name in engines}


def test_nothing_of_one_machine_is_in_the_project() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = [ROOT / name for name in listed.stdout.splitlines()] or modules()
    suffixes = {".py", ".md", ".toml", ".txt", ".yaml", ".mjs", ".json", ""}
    foreign = re.compile("/" + "(root|work|home/\\w+)/|files.python" + "hosted|registry.npm" + "js")
    for path in files:
        if path.suffix in suffixes and path.is_file():
            assert not foreign.search(path.read_text()), path
