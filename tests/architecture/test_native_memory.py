"""Only one module reads the memory of a frame, and only one decides on layouts of channels."""

from __future__ import annotations

from tests.conftest import ROOT

READER = "app/audio/frame_samples.py"
READS = (".to_ndarray(", ".planes")


def test_the_memory_of_frames_is_read_in_one_place() -> None:
    """PyAV reads planes behind the eighth that are not there."""
    reading = {
        path.relative_to(ROOT).as_posix()
        for package in ("app", "engines", "bench")
        for path in (ROOT / package).rglob("*.py")
        if any(read in path.read_text() for read in READS)
    }
    assert reading == {READER}


def test_what_is_decoded_gets_a_plain_layout_first() -> None:
    """Who opens a container to read it has `make_plain`, since PyAV frees the layouts of some files twice."""
    for package in ("app", "engines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if "av.open(" in text and 'mode="r"' in text:
                assert "make_plain(" in text, path
                assert "check_frames(" in text, path
