"""GET /v1/models, /v1/models/{model} (ids may have slashes) and /v1/audio/models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.deps import Everything
from app.wire.resources import model_list, model_object, speech_model_list

router = APIRouter(tags=["models"])


@router.get("/models")
async def list_models(server: Everything) -> dict[str, Any]:
    """List the models, and the names that stand for them."""
    return model_list((model, server.state(model.id)) for model in server.registry.listing())


@router.get("/audio/models")
async def list_speech_models(server: Everything) -> dict[str, Any]:
    """List the names of models that speak, in the shape that Open WebUI reads."""
    speech = server.registry.listing("speech")
    return speech_model_list((model, server.state(model.id)) for model in speech)


@router.get("/models/{model:path}")
async def retrieve_model(model: str, server: Everything) -> dict[str, Any]:
    """One model."""
    listing = server.registry.find(model)
    return model_object(listing, server.state(listing.id))
