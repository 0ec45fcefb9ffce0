"""Joins a Ray cluster, if its head refuses strangers.

Law: imports Ray; used by processes that may end when the cluster does.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

from engines.errors import ClusterDown

log = logging.getLogger("ray gateway")
PROBE_SECONDS = 3.0
CONNECT_SECONDS = 60
"""Seconds after which an attempt to connect is given up; Ray itself goes on for minutes."""
RETRY_SECONDS = 5.0
"""Seconds in `Retry-After` if no better estimate is known."""
CHECK_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
CHANNEL_OPTIONS = (("grpc.enable_http_proxy", 0),)
"""As Ray's own connections: a proxy for the web does not lead to the cluster."""


def join(address: str) -> None:
    """Joins the cluster. Raises `ClusterDown` if that fails, or if the cluster accepts clients without a
    token.
    """
    probe(address)
    import ray.serve  # sets levels of its loggers, so it comes before ours

    timer = threading.Timer(CONNECT_SECONDS, _give_up)
    timer.daemon = True
    timer.start()
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    host = address.rpartition(":")[0]
    try:
        ray.init(
            address,
            namespace="antiphon",
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address=host if host.startswith("127.") else None,
        )
    except Exception as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says enough
        raise ClusterDown("it cannot be joined", RETRY_SECONDS) from error


def _give_up() -> None:
    import ray

    if not ray.is_initialized():
        os._exit(1)


def probe(address: str) -> None:
    """Checks that the head of the cluster refuses a connection without a token. Raises `ClusterDown`."""
    import grpc

    with _channel(address) as channel:
        try:
            channel.unary_unary(CHECK_ALIVE)(b"", timeout=PROBE_SECONDS)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                return
            raise ClusterDown(f"its head at {address} does not answer", RETRY_SECONDS) from error
    raise ClusterDown(
        "it asks for no token, so that anyone may run code there: RAY_AUTH_MODE=token belongs to each node",
        RETRY_SECONDS,
    )


def _channel(address: str) -> Any:
    """A connection without a token, encrypted if Ray's own are: by the files that Ray's variables name."""
    import grpc

    if os.environ.get("RAY_USE_TLS", "0").lower() not in {"1", "true"}:
        return grpc.insecure_channel(address, CHANNEL_OPTIONS)
    names = ("RAY_TLS_CA_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_SERVER_CERT")
    try:
        root, key, chain = (_file_of(name) for name in names)
    except (KeyError, OSError):
        raise ClusterDown(
            f"with RAY_USE_TLS=1, {', '.join(names)} have to name readable files", RETRY_SECONDS
        ) from None
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(root, key, chain), CHANNEL_OPTIONS)


def _file_of(variable: str) -> bytes:
    return Path(os.environ[variable]).read_bytes()
