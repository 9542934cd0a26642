"""Where every command finds its settings."""

import os
from pathlib import Path

from hub.configuration import load
from hub.settings import Settings

DEFAULT_CONFIG = Path("trunkline.yaml")


def settings_of(config: Path | None) -> Settings:
    """Load the settings: the file named, or `trunkline.yaml` where there is one.

    Raises SettingsError with every mistake.
    """
    named = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    return load(named, os.environ)
