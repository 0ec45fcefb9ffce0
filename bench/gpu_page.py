"""The report of `bench_gpu` as a page."""

from __future__ import annotations

from typing import Any

TOP = "# Antiphon on a GPU\n"
HEAD = (
    "| measure | Antiphon | plain faster-whisper | ratio | goal | GPU busy | GPU memory |",
    "|---|---|---|---|---|---|---|",
)
PLAIN = (
    "Plain is the better of `WhisperModel.transcribe` and `BatchedInferencePipeline.transcribe` (16 rows, "
    "beam 5, with timestamps), one request after the other in a process of its own, without HTTP; beside "
    "clients also one call of the pipeline with the clips of all clients (up to 32 rows). Both sides "
    "search with a beam of five. Plain has nothing like the rows without a ratio."
)
BYTES_PER_GIB = 1024**3


def page(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    rows = [_row(figure) for figure in report["figures"]]
    failed = [f"- **Not measured**: {one}" for one in report["failed"]]
    top = [TOP, _machine(report["machine"]), f"Measured in {report['seconds']} s.", ""]
    return "\n".join([*top, _weights(report["model"]), "", *HEAD, *rows, "", PLAIN, "", *failed])


def _machine(machine: dict[str, Any]) -> str:
    return (
        f"{machine['device']}{_memory(machine['memory_bytes'])}, driver {machine['driver'] or 'none'}, "
        f"CTranslate2 {machine['ctranslate2']}, faster-whisper {machine['faster_whisper']}, "
        f"Python {machine['python']}."
    )


def _weights(model: dict[str, Any]) -> str:
    if not model["random_weights"]:
        return f"Model: {model['shape']}, its own weights."
    tokens = model["tokens"]
    return (
        f"Model: the shape of {model['shape']} with **random weights**: it writes {tokens['clip']} tokens to "
        f"each clip and {tokens['window']} to each window of a long file, whatever the sound, so that both "
        "sides do equal work. Times are those of the real model where speech has as many tokens; a doubtful "
        "result, which the real model decodes again, does not occur."
    )


def _row(figure: dict[str, Any]) -> str:
    plain, unit = figure["plain"], figure["unit"]
    goal = figure["goal"]
    if goal and figure["met"] is not None:
        goal += " (met)" if figure["met"] else " (**missed**)"
    cells = (
        figure["name"],
        f"{figure['ours']:.3g} {unit}",
        f"{plain:.3g} {unit}" if plain else "",
        f"{figure['ours'] / plain:.2f}" if plain else "",
        goal,
        "" if figure["busy"] is None else f"{figure['busy']:.0f} %",
        _memory(figure["memory"]).strip(", "),
    )
    return "| " + " | ".join(cells) + " |"


def _memory(size: int | None) -> str:
    return f", {size / BYTES_PER_GIB:.1f} GiB" if size else ""
