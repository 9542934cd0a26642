"""What the sandbox knows of a PipelineRun's schema: the fields of its spec, and their types.

Schema: Tekton's custom resource definition. Strict field validation:
https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation.
"""

from collections.abc import Iterator

from hub.sandbox.kubernetes.kinds import PIPELINE_RUNS, Kind, Object
from hub.sandbox.kubernetes.refusal import Cause, Refusal, bad_request

_TYPES = {
    "managedBy": "string",
    "params": "array",
    "pipelineRef": "object",
    "pipelineSpec": "object",
    "status": "string",
    "taskRunSpecs": "array",
    "taskRunTemplate": "object",
    "timeouts": "object",
    "workspaces": "array",
}
_FIELDS = {
    "pipelineRef": frozenset({"apiVersion", "name", "params", "resolver"}),
    "taskRunTemplate": frozenset({"podTemplate", "serviceAccountName"}),
    "timeouts": frozenset({"finally", "pipeline", "tasks"}),
}
_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (list, "array"),
    (dict, "object"),
)


def check_known(kind: Kind, body: Object) -> None:
    """Refuse an object with fields that its kind does not have. Raises Refusal."""
    unknown = _unknown(kind, body)
    if unknown:
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}:'
            f" {_strict(unknown)}"
        )


def check_patch_known(kind: Kind, patch: Object) -> None:
    """Refuse a patch with fields that its kind does not have. Raises Refusal."""
    unknown = _unknown(kind, patch)
    if unknown:
        told = f' "" is invalid: patch: Invalid value: "(the object)": {_strict(unknown)}'
        raise Refusal(422, "Invalid", told)


def type_causes(kind: Kind, body: Object) -> Iterator[Cause]:
    """Yield what is wrong with the types of the spec's fields."""
    spec = body.get("spec") or {}
    if kind != PIPELINE_RUNS or not isinstance(spec, dict):
        return
    for field, wanted in _TYPES.items():
        given = spec.get(field)
        if given is not None and (found := _name(given)) != wanted:
            yield Cause(
                field=f"spec.{field}",
                message=f'Invalid value: "{found}": spec.{field} in body must be of type'
                f' {wanted}: "{found}"',
                reason="FieldValueTypeInvalid",
            )


def _unknown(kind: Kind, body: Object) -> list[str]:
    spec = body.get("spec")
    if kind != PIPELINE_RUNS or not isinstance(spec, dict):
        return []
    return [
        *(f"spec.{field}" for field in spec if field not in _TYPES),
        *(
            f"spec.{field}.{inner}"
            for field, known in _FIELDS.items()
            if isinstance(spec.get(field), dict)
            for inner in spec[field]
            if inner not in known
        ),
    ]


def _strict(unknown: list[str]) -> str:
    listed = ", ".join(f'unknown field "{field}"' for field in unknown)
    return f"strict decoding error: {listed}"


def _name(value: object) -> str:
    return next((name for one, name in _NAMES if isinstance(value, one)), "null")
