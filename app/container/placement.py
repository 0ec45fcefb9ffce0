"""Chooses by the settings where models run. Law: construction only."""

from __future__ import annotations

from app.runtime.meters import Meters
from app.runtime.process_host import ProcessRules
from app.runtime.processes_placement import ProcessesPlacement
from app.runtime.ray_messages import ClusterRules
from app.runtime.ray_node import found_token
from app.runtime.ray_placement import RayPlacement, gateway_to
from app.runtime.threads_placement import ThreadsPlacement
from app.runtime.windows_sent_ahead import BATCHES_KEPT
from app.settings import Settings
from engines import catalog
from engines.work import Place


def place(settings: Settings, finder: catalog.EngineFinder, meters: Meters) -> Place:
    """The placement of engines that the settings name."""
    runtime = settings.runtime
    if runtime.placement == "threads":
        return ThreadsPlacement(finder)
    if runtime.placement == "ray":
        cluster = cluster_rules(settings)
        gateway = gateway_to(cluster, finder, found_token(settings.folder) or "")
        return RayPlacement(cluster, gateway, meters)
    rules = ProcessRules(
        stuck_seconds=runtime.stuck_seconds,
        child_bytes=runtime.child_bytes,
        kept_seconds=BATCHES_KEPT * runtime.batch_seconds,
    )
    return ProcessesPlacement(finder, rules, meters)


def cluster_rules(settings: Settings) -> ClusterRules:
    """The address of the Ray cluster, and the resources of a replica of a model."""
    chosen = settings.ray
    return ClusterRules(
        address=chosen.address,
        prefix=chosen.prefix,
        cpus=chosen.cpus,
        gpus=chosen.gpus,
        replicas=chosen.replicas,
        most_replicas=chosen.most_replicas,
        deploy=chosen.deploy,
        stuck_seconds=settings.runtime.stuck_seconds,
    )
