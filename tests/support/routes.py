"""Every route of the app, found by walking its routers."""

from __future__ import annotations

from fastapi import FastAPI


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every route, WebSockets too."""

    def found(router: object, prefix: str = "") -> set[tuple[str, str]]:
        all_: set[tuple[str, str]] = set()
        for route in getattr(router, "routes", ()):
            inner = getattr(route, "original_router", None)
            if inner is not None:
                all_ |= found(inner, prefix + getattr(route.include_context, "prefix", ""))
            elif getattr(route, "path", None) is not None:
                all_ |= {
                    (method, prefix + route.path) for method in getattr(route, "methods", None) or {"GET"}
                }
        return all_

    return found(app.router)
