"""The picture of the dashboard in docs/watching.md, drawn from the dashboard's own file.

It is a drawing and not Grafana: Prometheus scrapes a running server while clients use it and answers the
expressions of `deploy/grafana/dashboards/antiphon.json`; each panel is drawn at its place. Needs Prometheus:

    python -m bench.dashboard_picture --server http://127.0.0.1:8000 --key sk-... --seconds 240

The key needs the scopes `transcribe`, `speak` and `metrics`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "deploy/grafana/dashboards/antiphon.json"
PICTURE = ROOT / "docs/images/dashboard.png"
PROMETHEUS = "http://127.0.0.1:19090"
CLIENTS = 3
SCRAPE, WINDOW = 2, 20
"""Seconds between two scrapes, and what stands for Grafana's `$__rate_interval`."""
COLUMN, ROW = 0.75, 0.36
"""Inches of one unit of the dashboard's grid."""
COLOURS = ("#3274d9", "#e0752d", "#2e9f5b", "#c4162a", "#8f3bb8", "#b8860b", "#0a7d8c", "#666666")


@contextmanager
def prometheus(server: str, key: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="prometheus") as folder:
        config = Path(folder, "prometheus.yml")
        config.write_text(
            f"global: {{scrape_interval: {SCRAPE}s}}\nscrape_configs:\n- job_name: antiphon\n"
            f"  authorization: {{credentials: {key}}}\n"
            f"  static_configs: [{{targets: ['{server.partition('//')[2]}']}}]\n"
        )
        words = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
        address = f"--web.listen-address={PROMETHEUS.partition('//')[2]}"
        process = subprocess.Popen(["prometheus", *words, address, "--log.level=error"])
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def use(server: str, key: str, number: int, until: float) -> None:
    """One client: transcriptions, streams and speech in turn, and now and then a mistake."""
    headers = {"Authorization": f"Bearer {key}"}
    clip = (ROOT / "tests/data/jfk.flac").read_bytes()
    with httpx2.Client(base_url=f"{server}/v1", headers=headers, timeout=300) as client:
        turn = number
        while time.time() < until:
            turn += 1
            model = "no-such-model" if turn % 9 == 0 else "whisper-1"
            data = {"model": model, "stream": str(turn % 2 == 0).lower()}
            client.post("/audio/transcriptions", data=data, files={"file": ("jfk.flac", clip)})
            said = {"model": "tts-1", "voice": "alloy", "input": f"This is sentence number {turn}."}
            client.post("/audio/speech", json=said)
            if turn % 7 == 0:
                client.get("/models", headers={"Authorization": "Bearer sk-wrong"})


def answers(target: dict[str, Any], began: float, ended: float) -> list[tuple[str, list[float], list[float]]]:
    """Each series of one expression: its legend, its times in minutes, its values."""
    expression = target["expr"].replace('{instance=~"$instance"}', "").replace('instance=~"$instance", ', "")
    query = {"query": expression.replace("$__rate_interval", f"{WINDOW}s"), "step": str(SCRAPE)}
    answer = httpx2.get(
        f"{PROMETHEUS}/api/v1/query_range", params=query | {"start": str(began), "end": str(ended)}
    )
    answer.raise_for_status()
    found = []
    for series in answer.json()["data"]["result"]:
        legend = target.get("legendFormat", "")
        for name, value in series["metric"].items():
            legend = legend.replace(f"{{{{{name}}}}}", value)
        points = [(float(at), float(value)) for at, value in series["values"] if value not in ("NaN", "+Inf")]
        found.append((legend, [(at - began) / 60 for at, _ in points], [value for _, value in points]))
    return found


def draw(panel: dict[str, Any], axes: Any, began: float, ended: float) -> None:
    axes.set_title(panel["title"], fontsize=9, loc="left", fontweight="bold")
    lines = [line for target in panel["targets"] for line in answers(target, began, ended)]
    if panel["type"] == "stat":
        shown = [f"{values[-1]:g} {legend}" for legend, _, values in lines if values]
        shown = [words for words in shown if not words.startswith("0 ") or len(lines) == 1]
        axes.axis("off")
        axes.text(0.03, 0.45, "\n".join(shown) or "none", fontsize=11, va="center")
        return
    for colour, (legend, times, values) in zip(COLOURS * 9, lines, strict=False):
        axes.plot(times, values, label=legend, linewidth=1.2, color=colour)
    if lines:
        axes.legend(fontsize=6, loc="upper left", frameon=False)
        axes.set_ylim(bottom=0)
    else:
        axes.text(
            0.5, 0.5, "nothing to show", fontsize=8, ha="center", transform=axes.transAxes, color="#666666"
        )
    axes.tick_params(labelsize=6)
    axes.set_xlim(0, (ended - began) / 60)
    axes.set_ylabel(panel.get("fieldConfig", {}).get("defaults", {}).get("unit", ""), fontsize=6)
    axes.grid(visible=True, linewidth=0.3)


def picture(began: float, ended: float) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    units = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 2
    figure = Figure(figsize=(24 * COLUMN, units * ROW))
    day = datetime.fromtimestamp(ended, UTC).strftime("%d %B %Y")
    note = f"Drawn from deploy/grafana/dashboards/antiphon.json and Prometheus, {day}. This is not Grafana."
    figure.text(0.01, 1 - 0.8 / units, note, fontsize=9, va="center")
    for panel in panels:
        at = panel["gridPos"]
        left, top = (at["x"] + 0.7) / 24, 1 - (at["y"] + 3) / units
        if panel["type"] == "row":
            figure.text(0.01, top, panel["title"], fontsize=11, fontweight="bold")
            continue
        height = (at["h"] - 2.2) / units
        draw(panel, figure.add_axes((left, top - height, (at["w"] - 1.2) / 24, height)), began, ended)
    figure.savefig(PICTURE, dpi=80)


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--server", default="http://127.0.0.1:8000")
    wanted.add_argument("--key", required=True)
    wanted.add_argument("--seconds", type=float, default=240)
    given = wanted.parse_args()
    with prometheus(given.server, given.key):
        began = time.time() + 2 * SCRAPE
        until = time.time() + given.seconds
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda number: use(given.server, given.key, number, until), range(CLIENTS)))
        picture(began, time.time())
    print(PICTURE)


if __name__ == "__main__":
    main()
