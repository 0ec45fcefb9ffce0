"""`antiphon keys`: scopes, expiry and limits as people type them."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.command import Command

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def database(antiphon: Command) -> None:
    assert antiphon("db", "upgrade").code == 0


def listed(antiphon: Command) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(antiphon("keys", "list", "--json").out)
    return found


def test_a_key_with_everything(antiphon: Command) -> None:
    options = ("--scope", "read", "--scope", "speak", "--expires", "30d", "--requests-per-minute", "60")
    more = ("--audio-seconds-per-minute", "600", "--parallel", "4", "--audio-seconds-per-month", "360000")
    done = antiphon("keys", "create", "newsroom", *options, *more)
    assert done.out.startswith("sk-")
    (key,) = listed(antiphon)
    assert key["scopes"] == "speak,read"
    assert key["limits"] == (
        "requests_per_minute=60 audio_seconds_per_minute=600 parallel=4 audio_seconds_per_month=360000"
    )
    assert key["expires"].startswith(time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400)))
    assert key["state"] == "valid"


def test_rotation_and_change(antiphon: Command) -> None:
    antiphon("keys", "create", "a", "--parallel", "2")
    old = listed(antiphon)[0]["id"]
    done = antiphon("keys", "rotate", old, "--overlap", "90s")
    assert done.out.startswith("sk-")
    assert f"takes the place of {old}" in done.err
    first, second = sorted(listed(antiphon), key=lambda key: key["id"] != old)
    assert (first["id"], second["name"], second["limits"]) == (old, "a", "parallel=2")
    assert first["expires"] != "never"
    assert second["expires"] == "never"
    changed = antiphon(
        "keys", "change", second["id"], "--parallel", "0", "--scope", "read", "--expires", "1d"
    )
    assert changed.told == f"{second['id']} is changed."
    now = next(key for key in listed(antiphon) if key["id"] == second["id"])
    assert (now["limits"], now["scopes"]) == ("none", "read")
    assert antiphon("keys", "change", second["id"], "--expires", "never").code == 0
    assert antiphon("keys", "revoke", second["id"]).code == 0
    assert "is no longer valid" in antiphon("keys", "rotate", second["id"]).err
    assert "is revoked" in antiphon("keys", "change", second["id"], "--parallel", "3").err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--scope", "all"), "'all' is no scope. There are: transcribe, speak, voices, read, metrics."),
        (("--expires", "tomorrow"), "'tomorrow' is no date."),
        (("--expires", "2020-01-01"), "'2020-01-01' is in the past."),
        (("--expires", "99999999999d"), "is no date"),
        (("--parallel", "-1"), "-1"),
    ],
)
def test_mistakes_are_told(antiphon: Command, options: tuple[str, str], told: str) -> None:
    done = antiphon("keys", "create", "a", *options)
    assert done.code == 2
    assert told in done.told
    assert listed(antiphon) == []


def test_nothing_to_change_is_told(antiphon: Command) -> None:
    antiphon("keys", "create", "a")
    assert "Nothing would change" in antiphon("keys", "change", listed(antiphon)[0]["id"]).err
    assert "no span of time" in antiphon("keys", "rotate", "key_", "--overlap", "soon").err
