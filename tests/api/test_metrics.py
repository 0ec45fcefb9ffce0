"""`/metrics`: what operators observe. Clients cannot invent values of labels."""

from __future__ import annotations

import time

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.container import Container
from app.domain import Grant, KeyLimits
from tests.api.test_limits import CLIP, SPEECH, client_of, transcribed
from tests.support.fake_engines import EchoTranscriber

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def samples(client: httpx2.AsyncClient) -> Samples:
    text = (await client.get("http://test/metrics")).text
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def found(all_: Samples, name: str, **labels: str) -> float:
    return all_[name, tuple(sorted(labels.items()))]


async def test_what_requests_leave(client: httpx2.AsyncClient) -> None:
    assert (await transcribed(client, stream="true")).status_code == 200
    assert (await client.post("/audio/speech", json=SPEECH)).status_code == 200
    assert (await transcribed(client, model="nobody-knows-it")).status_code == 404
    await client.get("/no/such/secret")
    all_ = await samples(client)
    duration = "http_server_request_duration_seconds_count"
    post = {"method": "POST", "route": "/v1/audio/transcriptions"}
    assert found(all_, duration, **post, status="200", error_type="") == 1
    assert found(all_, duration, **post, status="404", error_type="model_not_found") == 1
    unknown = {"method": "GET", "route": "none", "status": "404", "error_type": "unknown_url"}
    assert found(all_, duration, **unknown) == 1
    assert found(all_, "http_server_active_requests", method="GET") == 1, "this one"
    assert found(all_, "antiphon_first_output_seconds_count", model="tones", kind="sound") == 1
    events = [
        key for key in all_ if key[0] == "antiphon_first_output_seconds_count" and ("kind", "event") in key[1]
    ]
    assert len(events) == 1
    assert found(all_, "antiphon_decode_seconds_count") == 1
    assert found(all_, "antiphon_model_state", model="tones", state="loaded") == 1
    assert found(all_, "antiphon_model_state", model="tones", state="failed") == 0
    assert found(all_, "antiphon_ready") == 1
    assert found(all_, "antiphon_uploads") == 0
    assert not [key for key in all_ if "secret" in str(key) or "nobody" in str(key)]


async def test_refusals_by_reason(container: Container, engine: EchoTranscriber) -> None:
    limits = KeyLimits(audio_seconds_per_month=4)
    _, secret = await container.keys.create("a", grant=Grant(limits=limits))
    _, watcher = await container.keys.create("b", grant=Grant(scopes=frozenset({"metrics"})))
    container.uploads._limit = 1
    held = container.uploads.admit()
    async with client_of(container, secret) as client, client_of(container, watcher) as watching:
        assert (await transcribed(client)).status_code == 429
        held.close()
        assert (await transcribed(client)).status_code == 200
        assert (await transcribed(client)).status_code == 429
        all_ = await samples(watching)
    assert found(all_, "antiphon_refused_total", reason="uploads") == 1
    assert found(all_, "antiphon_refused_total", reason="quota") == 1


async def test_the_next_key_to_expire(container: Container) -> None:
    now = int(time.time())
    old, _ = await container.keys.create("a", grant=Grant(expires=now + 5000))
    assert await container.keys.next_expiry() == now + 5000
    await container.keys.change(old.id, Grant())
    await container.keys.rotate(old, 60)
    assert await container.keys.next_expiry() == pytest.approx(now + 5000), (
        "its successor ends as it would have"
    )
    _, secret = await container.keys.create(
        "b", grant=Grant(expires=now + 3000, scopes=frozenset({"metrics"}))
    )
    async with client_of(container, secret) as client:
        all_ = await samples(client)
    assert found(all_, "antiphon_key_expires_timestamp_seconds") == now + 3000


async def test_where_no_key_expires(client: httpx2.AsyncClient) -> None:
    assert len(CLIP) > 0
    all_ = await samples(client)
    assert found(all_, "antiphon_key_expires_timestamp_seconds") == float("inf")
