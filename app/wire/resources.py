"""Models and lists as clients see them. Law: pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.domain import ModelListing


def model_object(model: ModelListing) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}


def model_list(models: Iterable[ModelListing]) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(model) for model in models]}
