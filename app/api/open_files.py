"""The limit of open files of this process.

Law: imports no web library, so that the limit is raised before engines are started, which inherit it.
"""

from __future__ import annotations

import resource

from app.settings import Settings

OTHER_FILES = 600
"""File descriptors that are neither connections nor uploads: libraries, weights, the database."""


def affordable_connections(settings: Settings) -> int:
    """The number of connections that the process has file descriptors for; its soft limit is raised if
    necessary.
    """
    connections = settings.server.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + 2 * settings.limits.uploads + OTHER_FILES
    if soft < needed and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft >= needed else max(16, min(connections, soft // 2))
