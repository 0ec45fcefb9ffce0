"""Alert rules and dashboard: promtool holds the rules to series, and expressions name metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.runtime.meters import Meters
from tests.conftest import ROOT

FOLDER = ROOT / "deploy/prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboards/antiphon.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
WORDS = {
    "sum", "min", "count", "rate", "increase", "histogram_quantile", "time", "by",
    "le", "instance", "up", "job",
}  # fmt: skip
"""Functions of PromQL that are used, and names that Prometheus itself makes."""
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "info": ("_info",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def collectors() -> list[Any]:
    meters = Meters()
    meters.certificate(0.0)
    return list(meters._registry._collector_to_names)


def series() -> dict[str, set[str]]:
    """The labels of every series that a server can have, by its name."""
    found = {}
    for collector in collectors():
        for family in collector.describe():
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = set(collector._labelnames)
    return found


KNOWN = series()


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression of the rules and the dashboard, with the name of its alert or panel."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def strangers(expression: str) -> set[str]:
    """Names in an expression that are no series, no label of its series and no word of PromQL."""
    plain = re.sub(r'"[^"]*"|\$\w+|\[\w+\]', "", expression)
    names = set(re.findall(r"[A-Za-z_:][\w:]*", plain))
    used = names & KNOWN.keys()
    labels = set().union(*(KNOWN[name] for name in used))
    return names - used - labels - WORDS


def test_the_series_of_a_server_are_found() -> None:
    assert len(KNOWN) > 50
    assert KNOWN["antiphon_wait_seconds_bucket"] == {"model"}
    assert KNOWN["antiphon_refused_total"] == {"reason"}


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_names_what_exists(where: str, expression: str) -> None:
    assert not strangers(expression), where
    assert re.search(r"antiphon_|http_server_|^up", expression)


@pytest.mark.parametrize(
    "expression",
    [
        "antiphon_redy == 0",
        'antiphon_problem{whot="disk"} == 1',
        "sum by (modell) (antiphon_queue_seconds)",
        "antiphon_refused > 0",
        "rates(antiphon_failed_total[5m])",
    ],
)
def test_the_check_sees_a_misspelt_name(expression: str) -> None:
    assert strangers(expression)


def test_every_alert_is_tested_and_explained() -> None:
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    page = (ROOT / "docs/watching.md").read_text()
    for rule in RULES:
        own = [case for case in cases if case["alertname"] == rule["alert"]]
        assert any(case.get("exp_alerts") for case in own), rule["alert"]
        assert any(not case.get("exp_alerts") for case in own), rule["alert"]
        assert f"`{rule['alert']}`" in page
        assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_on_the_page_is_one(tmp_path: Path) -> None:
    """It names the job that the rules ask for, and promtool takes it."""
    block = re.search(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs/watching.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert block
    names = {job["job_name"] for job in yaml.safe_load(block[1])["scrape_configs"]}
    asked = {name for rule in RULES for name in re.findall(r'job="(\w+)"', rule["expr"])}
    assert asked == names == {"antiphon"}
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    (tmp_path / "prometheus.yml").write_text(block[1])
    shutil.copy(FOLDER / "rules.yml", tmp_path)
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", "prometheus.yml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong_in_our_metrics() -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=Meters().page(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode in (0, 3), done.stderr  # status 3: only remarks about style
    assert b"error" not in done.stderr.lower(), done.stderr


def test_panels_have_their_place_and_the_chosen_source() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"], panel["title"]


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    for name in KNOWN:
        family = re.sub(r"_(bucket|sum|count|created)$", "", name)
        assert family in page or name in page, name
