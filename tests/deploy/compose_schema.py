"""The keys of compose.yaml as the Compose specification names them, as far as this project uses them.

Law: a key that is not listed is refused, so that a misspelt one is not silently without effect.
`make image-test` asks Docker Compose itself.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "integer"}
WORDS: Schema = {"type": "array", "items": TEXT}
DURATION: Schema = {"type": "string", "pattern": r"^(\d+(h|m|s|ms))+$"}
NAMES: Schema = {"type": "object", "additionalProperties": TEXT}


def table(needed: tuple[str, ...] = (), /, **keys: Schema) -> Schema:
    """An object with these keys and no others."""
    return {"type": "object", "properties": keys, "required": list(needed), "additionalProperties": False}


def tables(item: Schema) -> Schema:
    """An object with any keys, whose values are like `item`."""
    return {"type": "object", "additionalProperties": {"anyOf": [item, {"type": "null"}]}}


DEVICE = table(("capabilities",), driver=TEXT, count={"enum": ["all"]}, device_ids=WORDS, capabilities=WORDS)
RESOURCES = table(cpus=TEXT, memory=TEXT, pids=NUMBER, devices={"type": "array", "items": DEVICE})
CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"]
DEPENDENCY = table(("condition",), condition={"enum": CONDITIONS}, required=FLAG, restart=FLAG)
HEALTH = table(
    ("test",),
    test=WORDS,
    interval=DURATION,
    timeout=DURATION,
    start_period=DURATION,
    start_interval=DURATION,
    retries=NUMBER,
)
SERVICE = table(
    build=table(("context",), context=TEXT, dockerfile=TEXT, target=TEXT, args=NAMES),
    cap_drop=WORDS,
    command=WORDS,
    depends_on={"anyOf": [WORDS, {"type": "object", "additionalProperties": DEPENDENCY}]},
    deploy=table(resources=table(limits=RESOURCES, reservations=RESOURCES)),
    environment=NAMES,
    healthcheck=HEALTH,
    image=TEXT,
    init=FLAG,
    networks=tables(table(aliases=WORDS)),
    ports=WORDS,
    profiles=WORDS,
    read_only=FLAG,
    restart={"enum": ["no", "always", "on-failure", "unless-stopped"]},
    secrets=WORDS,
    security_opt=WORDS,
    stop_grace_period=DURATION,
    tmpfs=WORDS,
    user=TEXT,
    volumes=WORDS,
)
COMPOSE: Schema = {
    **table(
        ("services",),
        name=TEXT,
        services={"type": "object", "additionalProperties": SERVICE},
        volumes=tables(table(name=TEXT, external=FLAG)),
        networks=tables(table(name=TEXT, external=FLAG)),
        secrets=tables(table(("file",), file=TEXT)),
    ),
    "patternProperties": {"^x-": {}},
}
