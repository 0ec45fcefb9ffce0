"""What routes are given. Law: no logic."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from app.api.middleware import CALLER
from app.container import Container
from app.domain import Caller


def container_of(request: Request) -> Container:
    """The one container of the app that serves this request."""
    container: Container = request.app.state.container
    return container


def caller_of(request: Request) -> Caller:
    """Who makes this request, as the key check found."""
    caller: Caller = request.scope[CALLER]
    return caller


CallerOf = Annotated[Caller, Depends(caller_of)]
Services = Annotated[Container, Depends(container_of)]
