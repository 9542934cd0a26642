"""Fills the settings from a YAML file and the variables of the environment.

Every mistake is told at once, each with its place, and nothing that looks like a secret is repeated
in telling it. A variable is called after its setting, `TRUNKLINE_RECEIVER__PORT` for
`receiver.port`, and counts more than the file. Its value is taken as it stands; only lists and
mappings are written as in YAML.

A relative path, in the file or in a variable, starts at the folder of the file, so that every
command that is given the file finds the same log. Without a file it starts at the working folder.
"""

from hub.configuration.addresses import (
    KafkaAddress,
    PostgresAddress,
    SqliteAddress,
    bus_address,
    journal_address,
    on_this_machine,
)
from hub.configuration.loading import load

__all__ = [
    "KafkaAddress",
    "PostgresAddress",
    "SqliteAddress",
    "bus_address",
    "journal_address",
    "load",
    "on_this_machine",
]
