"""The weights store: whatever happens on the way, only the right bytes are ever used."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.models.errors import WeightsError
from app.models.weights import STAGING, WeightsStore
from tests.support.fake_hub import Hub
from tests.support.toy_model import DATA, KNOWN, bytes_of


def test_a_model_is_fetched_verified_and_complete(store: WeightsStore) -> None:
    told: list[tuple[str, int, int]] = []
    store.pull("toy", lambda *progress: told.append(progress))
    assert bytes_of(store) == DATA
    assert store.require("toy") == store.path("toy")
    assert ("model.bin", 3_000_000, 3_000_000) in told


def test_a_complete_model_needs_no_network(store: WeightsStore, hub: Hub) -> None:
    store.pull("toy")
    hub.asked.clear()
    store.pull("toy")
    assert hub.asked == []
    WeightsStore(store.folder, hub="http://127.0.0.1:9", offline=True, known=KNOWN).pull("toy")


def test_a_broken_download_goes_on_where_it_stopped(
    store: WeightsStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.models.mirrors.time.sleep", lambda _: None)
    (store.path("toy")).mkdir(parents=True)
    (store.path("toy") / "config.json").write_bytes(DATA["config.json"])
    hub.break_after = 2_000_000
    store.pull("toy")
    assert bytes_of(store) == DATA
    ranges = [wanted for path, wanted in hub.asked if path.endswith("model.bin")]
    assert ranges[0] is None
    assert int(str(ranges[1]).removeprefix("bytes=").removesuffix("-")) > 0


def test_a_damaged_part_on_disk_is_not_built_upon(store: WeightsStore) -> None:
    staging = store.path("toy") / STAGING
    staging.mkdir(parents=True)
    (staging / "model.bin").write_bytes(b"x" * 1_000_000)
    store.pull("toy")
    assert bytes_of(store) == DATA


def test_a_flipped_byte_is_found_and_repaired(store: WeightsStore, hub: Hub) -> None:
    store.pull("toy")
    path = store.path("toy") / "model.bin"
    with path.open("r+b") as opened:
        opened.seek(1_234_567)
        opened.write(bytes([DATA["model.bin"][1_234_567] ^ 1]))
    assert [check.state for check in store.check("toy")] == ["damaged", "ok"]
    with pytest.raises(WeightsError, match="antiphon models pull toy"):
        store.require("toy")
    hub.asked.clear()
    store.pull("toy")
    assert bytes_of(store) == DATA
    assert len(hub.asked) == 1


def test_a_wrong_hash_is_never_used_and_says_so(store: WeightsStore, hub: Hub) -> None:
    hub.files["/us/toy/resolve/rev/model.bin"] = b"y" * 3_000_000
    with pytest.raises(WeightsError, match="wrong size or hash"):
        store.pull("toy")
    assert "model.bin" not in bytes_of(store)


def test_the_first_mirror_with_the_right_bytes_wins(tmp_path: Path, hub: Hub) -> None:
    bad, good = tmp_path / "bad" / "toy", tmp_path / "good" / "toy"
    for folder, data in ((bad, b"z" * 3_000_000), (good, DATA["model.bin"])):
        folder.mkdir(parents=True)
        (folder / "model.bin").write_bytes(data)
    store = WeightsStore(tmp_path / "weights", hub=hub.url, mirrors=[bad.parent, good.parent], known=KNOWN)
    store.pull("toy")
    assert bytes_of(store) == DATA
    assert [path for path, _ in hub.asked] == ["/us/toy/resolve/rev/config.json"]


def test_too_many_bytes_are_not_read(store: WeightsStore, hub: Hub) -> None:
    hub.files["/us/toy/resolve/rev/config.json"] = b"x" * 5_000_000
    with pytest.raises(WeightsError, match="more bytes"):
        store.pull("toy")


def test_no_place_at_all(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path, hub="http://127.0.0.1:9", known=KNOWN)
    with pytest.raises(WeightsError, match="cannot be reached"):
        store.pull("toy")


def test_offline_says_what_to_run_where(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path, hub="http://127.0.0.1:9", offline=True, known=KNOWN)
    with pytest.raises(WeightsError, match=r"models pull toy.*models export toy.*models import"):
        store.pull("toy")
    with pytest.raises(WeightsError, match=r"models pull toy.*models import"):
        store.require("toy")


def test_two_pulls_at_once_fetch_once(store: WeightsStore, hub: Hub) -> None:
    threads = [threading.Thread(target=store.pull, args=("toy",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hub.asked) == 2
    assert bytes_of(store) == DATA


@pytest.mark.parametrize("name", ["..", "../x", "/etc", "a/b/c", "", ".hidden", "a\0b", "a/../b", "x" * 200])
def test_what_is_no_model_name(store: WeightsStore, name: str) -> None:
    for use in (store.pull, store.require, store.remove, store.check):
        with pytest.raises(WeightsError, match="cannot be the name"):
            use(name)


def test_remove(store: WeightsStore) -> None:
    store.pull("toy")
    assert store.remove("toy")
    assert not store.remove("toy")
    assert store.installed() == []
