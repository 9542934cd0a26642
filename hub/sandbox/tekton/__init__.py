"""Tekton as the sandbox has it: runs PipelineRuns without running anything, and tells of it.

`Tekton` is the controller, `CloudEvents` its sender of events. Both do what
https://tekton.dev/docs/pipelines/ says of pipelines v1.15.
"""

from hub.sandbox.tekton.controller import Tekton
from hub.sandbox.tekton.sending import CloudEvents
from hub.sandbox.tekton.states import Outcome, digest_of

__all__ = ["CloudEvents", "Outcome", "Tekton", "digest_of"]
