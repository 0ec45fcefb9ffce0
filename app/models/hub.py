"""What the model hub says of a repository: which of its files are a model that an engine here can run.

Law: asks for lists only; files are fetched and verified by `weights.py`.
"""

from __future__ import annotations

import re
from typing import Any

from app.domain import ModelKind
from app.models.catalog import FileEntry, HubSource, ModelEntry

WHISPER_FILES = re.compile(
    r"(model\.bin|config\.json|tokenizer\.json|vocabulary\.\w+|preprocessor_config\.json)"
)
PIPELINE_FILES = re.compile(
    r"config\.yaml|(segmentation|embedding|plda)/[\w\-][\w.\-]*\.(bin|npz|ckpt|safetensors)"
)
POCKET_FOLDER = "languages/english"
POCKET_TOKENIZER = "kyutai/pocket-tts-without-voice-cloning"
"""The repository that has the tokenizer of `kyutai/pocket-tts`, whose weights are gated."""


class WeightsError(Exception):
    """Weights cannot be had or used; the message says why and which command helps."""


def ask_hub(hub: str, model: str, token: str) -> ModelEntry:
    """The entry of `owner/name`. Raises `WeightsError`."""
    info = _hub_info(hub, model, token)
    names = {raw["rfilename"] for raw in info["siblings"]}
    if f"{POCKET_FOLDER}/model.safetensors" in names:
        return _pocket_entry(hub, model, info, token)
    return _hub_entry(model, info)


def _pocket_entry(hub: str, model: str, info: dict[str, Any], token: str) -> ModelEntry:
    """Pocket TTS keeps its weights and its tokenizer in two repositories."""
    others = _hub_info(hub, POCKET_TOKENIZER, token)
    address = f"{hub.rstrip('/')}/{POCKET_TOKENIZER}/resolve/{others['sha']}/{POCKET_FOLDER}/tokenizer.json"
    files = (
        _named(info, "model.safetensors", ""),
        _named(others, "tokenizer.json", address),
    )
    licence, owner = _licence(info), model.partition("/")[0]
    source = HubSource(model, info["sha"], POCKET_FOLDER)
    return ModelEntry(model, "speech", "pocket-tts", model, licence, owner, 0, files, hub=source)


def _named(info: dict[str, Any], name: str, url: str) -> FileEntry:
    for raw in info["siblings"]:
        if raw["rfilename"] == f"{POCKET_FOLDER}/{name}":
            found = _hub_file(raw)
            return FileEntry(name, found.size, found.sha256, url=url)
    raise WeightsError(f"The model hub lists no `{name}` for Pocket TTS.")


def _licence(info: dict[str, Any]) -> str:
    return str((info.get("cardData") or {}).get("license", "unknown"))


def _hub_entry(model: str, info: dict[str, Any]) -> ModelEntry:
    """A faster-whisper model or a diarization pipeline, by the files that the hub lists."""
    kinds: tuple[tuple[ModelKind, str, re.Pattern[str], str], ...] = (
        ("transcription", "faster-whisper", WHISPER_FILES, "model.bin"),
        ("diarization", "pyannote", PIPELINE_FILES, "config.yaml"),
    )
    source = HubSource(model, info["sha"])
    licence = _licence(info)
    owner = model.partition("/")[0]
    for kind, engine, wanted, mark in kinds:
        found = tuple(_hub_file(raw) for raw in info["siblings"] if wanted.fullmatch(raw["rfilename"]))
        if mark in {file.name for file in found} and len(found) > 1:
            return ModelEntry(model, kind, engine, model, licence, owner, 0, found, hub=source)
    raise WeightsError(
        f"`{model}` is neither a faster-whisper model (it has no `model.bin`) nor a diarization pipeline of "
        "pyannote's layout."
    )


def _hub_info(base: str, model: str, token: str) -> dict[str, Any]:
    import httpx2

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{base.rstrip('/')}/api/models/{model}"
    try:
        answer = httpx2.get(url, params={"blobs": "true"}, headers=headers, timeout=30, follow_redirects=True)
    except httpx2.HTTPError:
        raise WeightsError(f"The model hub cannot be reached, so `{model}` cannot be fetched.") from None
    if answer.status_code >= 400:
        raise WeightsError(
            f"The model hub has no model `{model}` for you (it answered {answer.status_code}). If the model "
            "is gated, accept its terms on the hub and set HF_TOKEN to your access token."
        )
    info: dict[str, Any] = answer.json()
    return info


def _hub_file(raw: dict[str, Any]) -> FileEntry:
    large = raw.get("lfs") or {}
    return FileEntry(raw["rfilename"], raw.get("size") or large["size"], large.get("sha256", ""))
