# Two images: `--target cpu` (the default) and `--target gpu`, which adds cuBLAS 12 for CTranslate2. No CUDA base image is needed.
# The steps are make's own: what `make install` and `make serve` do on your machine is what happens here.
# Build with `--build-arg ALL=1` for every engine, and `--build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu` for one
# without CUDA; with `--build-arg OTEL=1` for traces, and with `--build-arg RAY=1` for models in a Ray cluster.
# `--build-arg BASE=...` names another base; it must be Debian or Ubuntu with Python 3.11 or newer.
ARG BASE=docker.io/library/python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7

# hadolint ignore=DL3006
FROM ${BASE} AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/antiphon
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml Makefile README.md LICENSE THIRD_PARTY_NOTICES.md ./
COPY requirements requirements
COPY migrations migrations
COPY engines engines
COPY app app
ARG ALL=
ARG OTEL=0
ARG RAY=0
ARG TORCH_INDEX=
RUN make install GPU=0 ALL=$ALL OTEL=$OTEL RAY=$RAY TORCH_INDEX=$TORCH_INDEX

# Bytecode is written now too, because the server cannot write into its own folder.
FROM build AS installed
RUN make slim

# /data belongs to the user and, with the same rights, to group 0: so it can be written by the numeric user of this image and
# by platforms that run containers as any user of group 0. A named volume takes owner and rights over.
# hadolint ignore=DL3006
FROM ${BASE} AS run
RUN install --directory --owner 10001 --group 0 --mode 0775 /data
WORKDIR /srv/antiphon
ENV ANTIPHON_STORAGE_FOLDER=/data \
    ANTIPHON_SERVER_HOST=0.0.0.0 \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH="/srv/antiphon/.venv/bin:$PATH"
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s CMD [".venv/bin/antiphon", "health"]
USER 10001:0
CMD [".venv/bin/antiphon", "serve", "--prepare"]

FROM run AS cpu
COPY --from=installed /srv/antiphon /srv/antiphon

FROM build AS installed-gpu
RUN make .venv/.installed-gpu && make slim

# The driver keeps what it compiles for newer GPUs in /data, so that only the first start waits for it.
FROM run AS gpu
ENV CUDA_CACHE_PATH=/data/cuda \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=installed-gpu /srv/antiphon /srv/antiphon

# What a build without --target makes.
FROM cpu AS default
