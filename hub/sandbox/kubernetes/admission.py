"""What may be created: names, labels and annotations of every kind, and Tekton's own webhook.

Rules: https://kubernetes.io/docs/concepts/overview/working-with-objects/ and Tekton's validation of
a PipelineRun. Fields that a strict structural schema would warn of are taken in silently.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub.sandbox.kubernetes.fields import type_causes
from hub.sandbox.kubernetes.kinds import PIPELINE_RUNS, Kind, Object
from hub.sandbox.kubernetes.refusal import Cause, Refusal, bad_request, denied, invalid

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NAME_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MAX_SUBDOMAIN = 253
_MAX_NAME_PART = 63
_MAX_ANNOTATIONS_BYTES = 256 * 1024
_MAX_TEKTON_NAME = 63
"""A run's name becomes a label of its pods."""
_PENDING = "PipelineRunPending"
_TEKTON_WEBHOOK = "validation.webhook.pipeline.tekton.dev"


def check_type(kind: Kind, namespace: str, body: Object) -> None:
    """Refuse an object that is not of this kind, or says another namespace. Raises Refusal."""
    if body.get("apiVersion") != kind.api_version:
        raise bad_request(
            f"the API version in the data ({body.get('apiVersion')}) does not match the expected"
            f" API version ({kind.api_version})"
        )
    if body.get("kind") != kind.kind:
        message = f'Invalid value: "{body.get("kind")}": must be {kind.kind}'
        other = replace(kind, kind=str(body.get("kind")))
        raise invalid(other, _name_of(body), [Cause(field="kind", message=message)])
    if not isinstance(body.get("metadata"), dict):
        raise bad_request("the object provided has no metadata")
    if body["metadata"].get("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_object(kind: Kind, body: Object) -> None:
    """Refuse an object whose metadata or spec breaks the rules. Raises Refusal."""
    metadata = body["metadata"]
    causes = [
        *_name_causes(metadata.get("name")),
        *_label_causes(metadata.get("labels")),
        *_annotation_causes(metadata.get("annotations")),
        *type_causes(kind, body),
    ]
    if causes:
        raise invalid(kind, str(metadata.get("name", "")), causes)
    if kind == PIPELINE_RUNS:
        _check_pipeline_run(body)


def check_change(kind: Kind, before: Object, after: Object) -> None:
    """Refuse what Tekton's webhook refuses of a change to a run. Raises Refusal."""
    if kind != PIPELINE_RUNS or before.get("spec") == after.get("spec"):
        return
    old, new = (_without_status(one) for one in (before, after))
    if "completionTime" in (before.get("status") or {}):
        raise _denied("Once the PipelineRun is complete, no updates are allowed: spec")
    if old != new and (before.get("status") or {}).get("startTime"):
        raise _denied("Once the PipelineRun has started, only status updates are allowed: spec")
    if (before.get("status") or {}).get("startTime") and after["spec"].get("status") == _PENDING:
        raise _denied("invalid value: PipelineRun cannot be Pending after it is started: spec")


def _without_status(run: Object) -> Object:
    return {name: value for name, value in (run.get("spec") or {}).items() if name != "status"}


def _name_of(body: Object) -> str:
    metadata = body.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _name_causes(name: object) -> Iterator[Cause]:
    if not name:
        yield Cause(
            field="metadata.name",
            message="Required value: name or generateName is required",
            reason="FieldValueRequired",
        )
    elif not isinstance(name, str) or not _is_subdomain(name):
        yield Cause(
            field="metadata.name",
            message=f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower'
            " case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric"
            " character",
        )


def _label_causes(labels: Any) -> Iterator[Cause]:
    for key, value in _strings("metadata.labels", labels):
        if not _is_qualified(key):
            yield Cause(field="metadata.labels", message=f'Invalid value: "{key}": no valid key')
        if len(value) > _MAX_NAME_PART:
            message = f'Invalid value: "{value}": must be no more than {_MAX_NAME_PART} characters'
            yield Cause(field="metadata.labels", message=message)
        elif value and _NAME_PART.fullmatch(value) is None:
            yield Cause(
                field="metadata.labels",
                message=f'Invalid value: "{value}": a valid label must be an empty string or'
                " consist of alphanumeric characters, '-', '_' or '.', and must start and end with"
                " an alphanumeric character",
            )


def _annotation_causes(annotations: Any) -> Iterator[Cause]:
    size = 0
    for key, value in _strings("metadata.annotations", annotations):
        size += len(key.encode()) + len(value.encode())
        if not _is_qualified(key.lower()):
            message = f'Invalid value: "{key}": no valid key'
            yield Cause(field="metadata.annotations", message=message)
    if size > _MAX_ANNOTATIONS_BYTES:
        message = f"Too long: may not be more than {_MAX_ANNOTATIONS_BYTES} bytes"
        yield Cause(field="metadata.annotations", message=message, reason="FieldValueTooLong")


def _strings(field: str, given: Any) -> list[tuple[str, str]]:
    """Return a map's entries; the API server's decoder takes nothing but strings."""
    entries = {} if given is None else given
    if not isinstance(entries, Mapping) or not all(isinstance(v, str) for v in entries.values()):
        raise bad_request(f"json: cannot unmarshal into Go struct field .{field} of type string")
    return list(entries.items())


def _is_subdomain(name: str) -> bool:
    return len(name) <= _MAX_SUBDOMAIN and _SUBDOMAIN.fullmatch(name) is not None


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    fits = 0 < len(name) <= _MAX_NAME_PART and _NAME_PART.fullmatch(name) is not None
    return fits and (not slash or _is_subdomain(prefix))


def _check_pipeline_run(body: Object) -> None:
    name, spec = body["metadata"]["name"], body.get("spec") or {}
    given = [field for field in ("pipelineRef", "pipelineSpec") if spec.get(field)]
    if len(name) > _MAX_TEKTON_NAME:
        raise _denied(f"length must be no more than {_MAX_TEKTON_NAME} characters: metadata.name")
    if len(given) != 1:
        got = "both" if given else "neither"
        raise _denied(f"expected exactly one, got {got}: spec.pipelineRef, spec.pipelineSpec")
    for field in ("params", "workspaces"):
        names = [one.get("name") for one in spec.get(field) or ()]
        if len(names) != len({*names}):
            raise _denied(f"expected exactly one, got both: spec.{field}[].name")
        if not all(names):
            raise _denied(f"missing field(s): spec.{field}[].name")


def _denied(why: str) -> Refusal:
    return denied(_TEKTON_WEBHOOK, f"validation failed: {why}")
