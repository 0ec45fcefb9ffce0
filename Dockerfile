# The steps are make's own: what `make install` and `make serve` do on your machine is what happens here.
# Build with `--build-arg ALL=1` for every engine, and `--build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu` for one
# without CUDA.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home antiphon \
    && install --directory --owner antiphon /data

WORKDIR /srv/antiphon
COPY pyproject.toml Makefile README.md LICENSE THIRD_PARTY_NOTICES.md ./
COPY requirements requirements
COPY migrations migrations
COPY engines engines
COPY app app

ARG ALL=
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1
RUN make install ALL=$ALL TORCH_INDEX=$TORCH_INDEX

USER antiphon
ENV ANTIPHON_STORAGE_FOLDER=/data \
    ANTIPHON_SERVER_HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH="/srv/antiphon/.venv/bin:$PATH"
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s \
    CMD [".venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('ANTIPHON_SERVER_PORT', '8000') + '/health/live', timeout=2)"]
CMD [".venv/bin/antiphon", "serve", "--prepare"]
