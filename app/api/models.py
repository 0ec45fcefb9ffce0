"""GET /v1/models, /v1/models/{model} (ids may have slashes) and /v1/audio/models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.deps import Services
from app.wire.model_answers import model_list, model_object, speech_model_list

router = APIRouter(tags=["models"])


@router.get("/models")
async def list_models(services: Services) -> dict[str, Any]:
    """List the models, and the names that stand for them."""
    return model_list(services.models.all())


@router.get("/audio/models")
async def list_speech_models(services: Services) -> dict[str, Any]:
    """List the names of models that speak, in the shape that Open WebUI reads."""
    return speech_model_list(services.models.all("speech"))


@router.get("/models/{model:path}")
async def retrieve_model(model: str, services: Services) -> dict[str, Any]:
    """One model."""
    return model_object(*services.models.find(model))
