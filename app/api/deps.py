"""What routes are given. Law: no logic."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from app.container import Container


def container_of(request: Request) -> Container:
    """The one container of the app that serves this request."""
    container: Container = request.app.state.container
    return container


Services = Annotated[Container, Depends(container_of)]
