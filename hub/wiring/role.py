"""What one process of a hub does. Several processes share a log and a journal; each has a role."""

import os
import socket
from enum import StrEnum


class Role(StrEnum):
    """The part of the hub that a process is."""

    ALL = "all"
    RECEIVER = "receiver"
    """Takes events in, and needs nothing but the log: no handlers, no rights outside."""
    WORKER = "worker"
    """Runs handlers, and has no door."""

    @property
    def receives(self) -> bool:
        """Whether it takes events in."""
        return self is not Role.WORKER

    @property
    def works(self) -> bool:
        """Whether it runs handlers."""
        return self is not Role.RECEIVER


def process_name(instance: str) -> str:
    """Return what tells this process from the others of its hub, for people."""
    return f"{instance}@{socket.gethostname()}/{os.getpid()}"
