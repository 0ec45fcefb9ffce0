"""A cluster that accepts clients without a token is refused. Small gRPC servers stand in for the head."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from app.runtime.ray_join import probe
from engines.errors import ClusterDown
from tests.support.server import free_port

pytestmark = pytest.mark.skipif(find_spec("grpc") is None, reason="gRPC comes with the extra `ray`")


@contextmanager
def heading(credentials: Any = None, *, asks: bool = True) -> Iterator[str]:
    """The address of a fake head. `asks`: for a token. `credentials`: of its TLS."""
    import grpc

    def answer(data: bytes, context: Any) -> bytes:
        if asks:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
        return b""

    class Anything(grpc.GenericRpcHandler):  # type: ignore[misc]  # it has no types
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Anything(),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def head(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a fake head. The parameter says whether it asks for a token."""
    with heading(asks=request.param) as address:
        yield address


@pytest.mark.parametrize("head", [True], indirect=True)
def test_a_head_that_refuses_strangers_is_taken(head: str) -> None:
    probe(head)


@pytest.mark.parametrize("head", [False], indirect=True)
def test_a_head_that_answers_strangers_is_refused(head: str) -> None:
    with pytest.raises(ClusterDown, match="RAY_AUTH_MODE=token"):
        probe(head)


def test_a_head_that_is_not_there_is_told() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterDown, match="does not answer"):
        probe(address)


def test_a_proxy_for_the_web_is_not_asked_for_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with heading() as address:
        probe(address)


class TestEncrypted:
    """A cluster with RAY_USE_TLS=1, whose nodes show each other certificates."""

    @pytest.fixture
    def files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
        import trustme

        authority = trustme.CA()
        node = authority.issue_cert("127.0.0.1")
        made = {name: tmp_path / name.lower() for name in ("CA_CERT", "SERVER_KEY", "SERVER_CERT")}
        authority.cert_pem.write_to_path(made["CA_CERT"])
        node.private_key_pem.write_to_path(made["SERVER_KEY"])
        node.cert_chain_pems[0].write_to_path(made["SERVER_CERT"])
        monkeypatch.setenv("RAY_USE_TLS", "1")
        for name, file in made.items():
            monkeypatch.setenv(f"RAY_TLS_{name}", str(file))
        return made

    def test_the_head_is_asked_in_its_own_way(self, files: dict[str, Path]) -> None:
        import grpc

        authority, key, certificate = (file.read_bytes() for file in files.values())
        credentials = grpc.ssl_server_credentials(
            [(key, certificate)], root_certificates=authority, require_client_auth=True
        )
        with heading(credentials) as address:
            probe(address)

    def test_a_file_that_is_missing_is_told(self, files: dict[str, Path]) -> None:
        files["SERVER_KEY"].unlink()
        with pytest.raises(ClusterDown, match="RAY_TLS_SERVER_KEY"):
            probe(f"127.0.0.1:{free_port()}")
