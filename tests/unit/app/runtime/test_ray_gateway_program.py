"""A cluster that accepts clients without a token is refused. Small gRPC servers stand in for the head."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import pytest

from app.runtime.ray_gateway_program import _probe
from engines.errors import ClusterDown
from tests.support.server import free_port

pytestmark = pytest.mark.skipif(find_spec("grpc") is None, reason="gRPC comes with the extra `ray`")


@pytest.fixture
def head(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a fake head. The parameter says whether it asks for a token."""
    import grpc

    def answer(data: bytes, context: Any) -> bytes:
        if request.param:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
        return b""

    class Anything(grpc.GenericRpcHandler):  # type: ignore[misc]  # it has no types
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Anything(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.mark.parametrize("head", [True], indirect=True)
def test_a_head_that_refuses_strangers_is_taken(head: str) -> None:
    _probe(head)


@pytest.mark.parametrize("head", [False], indirect=True)
def test_a_head_that_answers_strangers_is_refused(head: str) -> None:
    with pytest.raises(ClusterDown, match="RAY_AUTH_MODE=token"):
        _probe(head)


def test_a_head_that_is_not_there_is_told() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterDown, match="does not answer"):
        _probe(address)
