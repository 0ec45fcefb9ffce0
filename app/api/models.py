"""GET /v1/models and /v1/models/{model}; ids may have slashes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.deps import Services
from app.wire.resources import model_list, model_object

router = APIRouter(tags=["models"])


@router.get("/models")
async def list_models(services: Services) -> dict[str, Any]:
    """List the models, and the names that stand for them."""
    return model_list((model, services.state(model.id)) for model in services.registry.listing())


@router.get("/models/{model:path}")
async def retrieve_model(model: str, services: Services) -> dict[str, Any]:
    """One model."""
    found = services.registry.find(model)
    return model_object(found, services.state(found.id))
