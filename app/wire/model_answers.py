"""The JSON of models and of their lists. Law: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.domain import ModelListing


def model_object(model: ModelListing, state: str | None) -> dict[str, Any]:
    """A model as clients see it. `state`: whether it is in memory; None for a name that stands for
    several models.
    """
    base = {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}
    return base if state is None else base | {"state": state}


def model_list(models: Iterable[tuple[ModelListing, str | None]]) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(model, state) for model, state in models]}


def speech_model_list(models: Iterable[tuple[ModelListing, str | None]]) -> dict[str, Any]:
    """The list of speech models; Open WebUI reads the key `models`."""
    listed = model_list(models)
    return listed | {"models": [{"id": model["id"], "name": model["id"]} for model in listed["data"]]}
