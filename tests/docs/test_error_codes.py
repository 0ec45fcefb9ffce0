"""Every error that a client can see stands on a page: its status and code, wherever the code is given."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from app import errors
from app.api.openapi_document import ERRORS, OPERATIONS
from tests.conftest import ROOT


def errors_of(page: str) -> str:
    """The part of a page about errors."""
    text = (ROOT / page).read_text().split("\n## Errors\n")[1]
    return text.partition("\n## ")[0]


def classes() -> list[type[errors.ApiError]]:
    """The errors with a status and a code of their own; two classes are only inherited from."""
    found = [
        error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.ApiError)
    ]
    return [error for error in found if error not in (errors.ApiError, errors.NotFound)]


def codes_in(path: Path) -> set[str]:
    """The texts that a file passes as `code=` to any call, such as `InvalidRequest(..., code="x")`."""
    return {
        given.value.value
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        for given in call.keywords
        if given.arg == "code"
        and isinstance(given.value, ast.Constant)
        and isinstance(given.value.value, str)
    }


@pytest.mark.parametrize("error", classes(), ids=lambda error: error.__name__)
def test_every_error_is_documented(error: type[errors.ApiError]) -> None:
    """Status and code stand in one row."""
    rows = re.findall(r"^\| (\d{3}) \| ([^|]*) \|", errors_of("docs/api.md"), re.MULTILINE)
    told = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert (error.status, error.code or "null") in told


def test_every_code_that_is_given_where_an_error_is_raised_is_documented() -> None:
    raised = {path: codes_in(path) for path in (ROOT / "app").rglob("*.py")}
    told = set(re.findall(r"`(\w+)`", errors_of("docs/api.md") + errors_of("docs/realtime.md")))
    assert len(set().union(*raised.values())) > 10
    assert not {str(path): codes - told for path, codes in raised.items() if codes - told}


def test_the_document_knows_every_status() -> None:
    """All but 405: the document has no operation for a method that a path does not have."""
    assert {error.status for error in classes()} - {405} <= set(ERRORS)


def test_every_status_of_the_document_is_told_by_some_operation() -> None:
    assert {status for operation in OPERATIONS.values() for status in operation.errors} == set(ERRORS)
