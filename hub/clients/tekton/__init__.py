"""Tekton: starts PipelineRuns (`manifest`) and reads them (`reading`)."""

from hub.clients.tekton.client import Tekton

__all__ = ["Tekton"]
