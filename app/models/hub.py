"""Lists a repository of the model hub, and picks the files that form a model which an engine here can run.

Law: requests lists only, by the hub's own client; files are fetched by `mirrors.py` and verified by
`fetch.py` (docs/dependencies.md says why).
"""

from __future__ import annotations

import os
import re
from typing import Any

from app.domain import ModelKind
from app.models.catalog import FILE_NAME, FileEntry, HubSource, ModelEntry
from app.models.errors import WeightsError

WHISPER_FILES = re.compile(
    r"(model\.bin|config\.json|tokenizer\.json|vocabulary\.\w+|preprocessor_config\.json)"
)
PIPELINE_FILES = re.compile(
    r"config\.yaml|(segmentation|embedding|plda)/[\w\-][\w.\-]*\.(bin|npz|ckpt|safetensors)"
)
POCKET_FOLDER = "languages/english"
POCKET_TOKENIZER = "kyutai/pocket-tts-without-voice-cloning"
"""The repository that has the tokenizer of `kyutai/pocket-tts`, whose weights are gated."""
HUB_SECONDS = 30.0
"""The most seconds that the hub may take to answer."""


def ask_hub(hub: str, model: str, token: str) -> ModelEntry:
    """The entry of `owner/name`. Raises `WeightsError`."""
    info = _repository(hub, model, token)
    names = {file.rfilename for file in info.siblings or ()}
    if f"{POCKET_FOLDER}/model.safetensors" in names:
        return _pocket_entry(hub, model, info, token)
    return _entry(model, info)


def _entry(model: str, info: Any) -> ModelEntry:
    """A faster-whisper model or a diarization pipeline, by the files that the hub lists."""
    kinds: tuple[tuple[ModelKind, str, re.Pattern[str], str], ...] = (
        ("transcription", "faster-whisper", WHISPER_FILES, "model.bin"),
        ("diarization", "pyannote", PIPELINE_FILES, "config.yaml"),
    )
    listed = [file for file in info.siblings or () if FILE_NAME.fullmatch(file.rfilename)]
    for kind, engine, pattern, mark in kinds:
        files = tuple(_file(file, file.rfilename) for file in listed if pattern.fullmatch(file.rfilename))
        if mark in {file.name for file in files} and len(files) > 1:
            return _described(model, kind, engine, info, files)
    raise WeightsError(
        f"`{model}` is neither a faster-whisper model (it has no `model.bin`) nor a diarization pipeline of "
        "pyannote's layout."
    )


def _pocket_entry(hub: str, model: str, info: Any, token: str) -> ModelEntry:
    """Pocket TTS has its weights and its tokenizer in two repositories."""
    other = _repository(hub, POCKET_TOKENIZER, token)
    address = f"{hub.rstrip('/')}/{POCKET_TOKENIZER}/resolve/{other.sha}/{POCKET_FOLDER}/tokenizer.json"
    files = (_pocket_file(info, "model.safetensors", ""), _pocket_file(other, "tokenizer.json", address))
    return _described(model, "speech", "pocket-tts", info, files, POCKET_FOLDER)


def _pocket_file(info: Any, name: str, url: str) -> FileEntry:
    for file in info.siblings or ():
        if file.rfilename == f"{POCKET_FOLDER}/{name}":
            return _file(file, name, url)
    raise WeightsError(f"The model hub lists no `{name}` for Pocket TTS.")


def _described(
    model: str, kind: ModelKind, engine: str, info: Any, files: tuple[FileEntry, ...], path: str = ""
) -> ModelEntry:
    licence = str((info.card_data.to_dict() if info.card_data else {}).get("license", "unknown"))[:100]
    owner = model.partition("/")[0]
    source = HubSource(model, str(info.sha), path)
    return ModelEntry(model, kind, engine, model, licence, owner, 0, files, hub=source)


def _file(file: Any, name: str, url: str = "") -> FileEntry:
    size = file.size if file.size is not None else (file.lfs.size if file.lfs else None)
    if size is None:
        raise WeightsError(f"The model hub does not say how large `{name}` is.")
    return FileEntry(name, int(size), file.lfs.sha256 if file.lfs else "", url=url)


def _repository(hub: str, model: str, token: str) -> Any:
    """The hub's list of a repository's files. Raises `WeightsError`."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the library reads it when it is imported
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        api = HfApi(endpoint=hub.rstrip("/"), token=token or False)
        return api.model_info(model, files_metadata=True, timeout=HUB_SECONDS)
    except OfflineModeIsEnabled:
        raise WeightsError(
            f"`{model}` cannot be fetched: the environment has HF_HUB_OFFLINE, which forbids it."
        ) from None
    except HfHubHTTPError as answer:
        raise WeightsError(
            f"The model hub has no model `{model}` for you (it answered {answer.response.status_code}). If "
            "the model is gated, accept its terms on the hub and set HF_TOKEN to your access token."
        ) from None
    except (httpx2.HTTPError, OSError):
        raise WeightsError(f"The model hub cannot be reached, so `{model}` cannot be fetched.") from None
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ):  # with these exceptions the hub's client fails on an answer of an unexpected form
        raise WeightsError(f"The model hub gave an answer about `{model}` that cannot be read.") from None
