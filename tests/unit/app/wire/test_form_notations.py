"""Form fields in all the ways that clients write them."""

from __future__ import annotations

import pytest

from app.errors import InvalidValue, MissingField
from app.wire.form_notations import Fields


@pytest.mark.parametrize(
    "pairs",
    [
        [("x", "a"), ("x", "b")],
        [("x[]", "a"), ("x[]", "b")],
        [("x[0]", "a"), ("x[1]", "b")],
        [("x", '["a", "b"]')],
        [("x[]", '"a"'), ("x[]", '"b"')],
        [("x[]", " a "), ("x[]", ""), ("x[]", "b")],
    ],
)
def test_lists(pairs: list[tuple[str, str]]) -> None:
    assert Fields(pairs).texts("x") == ("a", "b")


@pytest.mark.parametrize(
    ("pairs", "value"),
    [
        ([], None),
        ([("x", "")], None),
        ([("x", "auto")], "auto"),
        ([("x", '"auto"')], "auto"),
        ([("x[type]", "server_vad"), ("x[threshold]", "0.5")], {"type": "server_vad", "threshold": "0.5"}),
        ([("x", '{"type": "server_vad", "threshold": 0.5}')], {"type": "server_vad", "threshold": 0.5}),
    ],
)
def test_objects(pairs: list[tuple[str, str]], value: object) -> None:
    assert Fields(pairs).object("x") == value


def test_the_last_of_several_values_wins() -> None:
    assert Fields([("x", "a"), ("x", "b"), ("x", "")]).text("x") == "b"


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("False", False), ("0", False)]
)
def test_flags(text: str, value: bool) -> None:
    assert Fields([("x", text)]).flag("x", default=not value) is value
    assert Fields([]).flag("x", default=value) is value


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "2", "x", "1e999", "0x1"])
def test_numbers_out_of_bounds(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Fields([("x", text)]).number("x", 0, 1)
    assert caught.value.param == "x"


@pytest.mark.parametrize("name", ["", "[", "]", "x[", "[]", "x[[]]", "x[a][b]", "\0"])
def test_odd_names_are_only_names(name: str) -> None:
    fields = Fields([(name, "a")])
    assert fields.text("y") == ""


def test_deep_json_is_an_error_not_a_crash() -> None:
    with pytest.raises(InvalidValue):
        Fields([("x", '{"a":' * 100_000)]).object("x")


def test_required() -> None:
    with pytest.raises(MissingField):
        Fields([("x", "  ")]).required("x")
