"""Which model names clients may send, and which of these models are in memory. Law: loads nothing."""

from __future__ import annotations

from app.domain import ModelKind, ModelListing
from app.errors import ApiError
from app.models.registry import Registry
from app.runtime.memory_budget import ModelState
from app.runtime.runner import Runner


class ModelListService:
    """Lists models and finds one."""

    def __init__(self, registry: Registry, runner: Runner) -> None:
        self._registry = registry
        self._runner = runner

    def all(self, kind: ModelKind | None = None) -> list[tuple[ModelListing, ModelState | None]]:
        """Every name with the state of its model. `kind`: only names of models of this kind."""
        return [(model, self.state(model.id)) for model in self._registry.listing(kind)]

    def find(self, name: str) -> tuple[ModelListing, ModelState | None]:
        """One name with the state of its model. Raises `ModelNotFound`."""
        model = self._registry.find(name)
        return model, self.state(model.id)

    def state(self, name: str) -> ModelState | None:
        """Whether the model for a name is in memory. None if the voice of a request decides which model is
        used.
        """
        try:
            model = self._registry.resolve(name)
        except ApiError:
            return None
        return None if model.folder == self._registry.weights else self._runner.state(model)
