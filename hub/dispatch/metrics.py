"""What dispatch counts."""

from typing import Protocol


class DispatchMetrics(Protocol):
    """Counters of runs and steps. Called on the event loop: must not block, must not raise."""

    def run_ended(self, *, handler: str, outcome: str, seconds: float) -> None:
        """An attempt has ended; `outcome` is one of a closed set."""
        ...

    def step_ended(self, *, action: str, outcome: str, seconds: float) -> None:
        """An action was performed: `done`, or `failed`."""
        ...
