"""The Ray cluster that models run in, with `runtime.placement = "ray"`."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from app.settings.base import Group


class RaySettings(Group):
    """The Ray cluster of `runtime.placement = "ray"`, which is experimental and needs the extra `ray`."""

    address: str = Field(
        "127.0.0.2:6379",
        pattern=r"^[^\s:/]+:\d{1,5}$",
        description="Host and port of the head of the cluster. The default is what `antiphon ray up` starts.",
    )
    prefix: str = Field(
        "antiphon-",
        pattern=r"^[a-z0-9-]*$",
        description="What the names of the models in the cluster begin with. Servers of the same "
        "prefix share replicas.",
    )
    cpus: float = Field(1, ge=0, description="Processors that each replica of a model reserves.")
    gpus: float = Field(
        0, ge=0, description="GPUs that each replica of a model reserves. A fraction shares a GPU: 0.5."
    )
    replicas: int = Field(1, ge=1, description="Smallest number of replicas of a model.")
    most_replicas: int = Field(
        1,
        ge=1,
        description="Largest number of replicas of a model. Between the two, Ray Serve adds one when all "
        "have been busy for a while, and ends those that were idle for ten minutes.",
    )
    deploy: bool = Field(
        default=True,
        description="Whether a server deploys a model that the cluster does not have, or that was deployed "
        "with other settings. Without it, a server waits until somebody else has: KubeRay, `serve deploy`.",
    )

    @field_validator("gpus")
    @classmethod
    def _share_or_whole(cls, value: float) -> float:
        if value > 1 and value % 1:
            raise ValueError("Ray gives a part of one GPU, or whole ones: 0.5, 1, 2")
        return value

    @model_validator(mode="after")
    def _most_is_most(self) -> RaySettings:
        if self.most_replicas < self.replicas:
            raise ValueError("`ray.most_replicas` is smaller than `ray.replicas`")
        return self
