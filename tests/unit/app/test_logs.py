"""Every line has the id of its request, in both formats; nothing a library says about clients gets out."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import FormParser

from app import logs
from tests.conftest import ROOT

Written = Callable[[str, str], io.StringIO]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """Sets logging up, and returns what is written."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)

    def set_up(level: str, form: str) -> io.StringIO:
        output = io.StringIO()
        monkeypatch.setattr(sys, "stderr", output)
        logs.set_up_logging(level, form)
        return output

    yield set_up
    logging.captureWarnings(capture=False)
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name in (*logs.OURS, *logs.PRINTING_CLIENTS):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_text_lines_have_the_request_id(written: Written) -> None:
    output = written("info", "text")
    with logs.bound("req_1"):
        logging.getLogger("app.x").info("model %s is loaded", "small")
    logging.getLogger("app.x").info("outside")
    first, second = output.getvalue().splitlines()
    assert first.endswith("info    model small is loaded request_id=req_1")
    assert second.endswith("info    outside")


def test_json_lines_have_the_request_id_once_and_null_without_one(written: Written) -> None:
    output = written("info", "json")
    with logs.bound("req_1"):
        logging.getLogger("app.x").info("loaded", extra={"model": "small", "status": 200})
    logging.getLogger("app.x").info("outside")
    first, second = (json.loads(line) for line in output.getvalue().splitlines())
    assert set(first) == {"time", "level", "logger", "message", "model", "status", "request_id"}
    assert (first["message"], first["status"], first["request_id"]) == ("loaded", 200, "req_1")
    assert second["request_id"] is None


def test_lines_have_no_field_of_ray(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is imported, Ray sets a factory that adds a field to every record."""

    class Record(logging.LogRecord):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.__dict__["_ray_timestamp_ns"] = 1

    monkeypatch.setattr(logging, "_logRecordFactory", Record)
    output = written("info", "json")
    logging.getLogger("app.x").info("loaded")
    assert set(json.loads(output.getvalue())) == {"time", "level", "logger", "message", "request_id"}


def test_a_thread_has_the_id_that_it_is_given(written: Written) -> None:
    output = written("info", "json")

    def work() -> None:
        with logs.bound("req_2"):
            logging.getLogger("engines.x").warning("a round was repeated")

    with logs.bound("req_1"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert logs.current_request() == "req_1"
    assert json.loads(output.getvalue())["request_id"] == "req_2"
    assert logs.current_request() is None


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_a_client_sends_begins_a_line(written: Written, form: str) -> None:
    output = written("info", form)
    logging.getLogger("app.x").info("path %s", "a\n12:00:00 info forged\x1b[2J", extra={"path": "\r\nforged"})
    assert len(output.getvalue().splitlines()) == 1
    assert "\x1b" not in output.getvalue()


def broken() -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_trace_is_written_with_its_id(written: Written, form: str) -> None:
    output = written("info", form)
    with logs.bound("req_1"):
        try:
            broken()
        except RuntimeError:
            logging.getLogger("app.x").exception("an unexpected failure")
    text = output.getvalue()
    assert "RuntimeError: broken" in text
    assert "req_1" in text.splitlines()[0]


@pytest.mark.parametrize(
    "library", ["aiosqlite", "sqlalchemy.engine", "piper.voice", "kokoro_onnx", "httpx2"]
)
def test_libraries_write_no_parameters_and_no_texts(written: Written, library: str) -> None:
    output = written("debug", "text")
    logging.getLogger(library).debug("executing %s", "INSERT ... 'a private sentence'")
    logging.getLogger(library).info("executing %s", "INSERT ... 'a private sentence'")
    assert not output.getvalue()
    logging.getLogger(library).warning("something is wrong")
    assert "something is wrong" in output.getvalue()


def test_facts_belong_to_the_running_request(written: Written) -> None:
    logs.note(model="nobody asks")
    with logs.recorded("req_1") as facts:
        logs.note(model="small")
        assert logs.current_request() == "req_1"
    assert facts == {"model": "small"}


def test_a_malformed_form_is_no_line(written: Written) -> None:
    """The parser of forms warns about each malformed form and quotes the client; that must not be logged."""
    output = written("debug", "text")
    parser = FormParser(
        "multipart/form-data", lambda _: None, lambda _: None, boundary="x", config={"MAX_BODY_SIZE": 1000}
    )
    with suppress(FormParserError):
        parser.write(b"--x\r\nsecret words")
    logging.getLogger("python_multipart.multipart").warning("Consuming a byte in the end state: secret words")
    assert output.getvalue() == ""


def test_rich_is_not_imported_for_it() -> None:
    code = (
        "import sys; from app.logs import set_up_logging; set_up_logging('info', 'text'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "structlog" in done.stdout.split()
    assert not {"rich", "rich.traceback", "pygments"} & set(done.stdout.split())
