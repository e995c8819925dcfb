"""One converter per n8n node type that has an equivalent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidegate.workflows.service.imports.paths import NoEquivalent

__all__ = ["CONVERTERS", "TRIGGERS", "Converted", "NoEquivalent"]

Read = Callable[[Any], Any]

TRIGGERS: Final = frozenset(
    {
        "manualTrigger", "webhook", "scheduleTrigger", "cron", "start", "formTrigger",
        "executeWorkflowTrigger",
    }
)  # fmt: skip
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
_OPERATORS: Final = {
    "equals": "eq", "equal": "eq", "notEquals": "ne", "notEqual": "ne", "gt": "gt", "larger": "gt",
    "gte": "gte", "largerEqual": "gte", "lt": "lt", "smaller": "lt", "lte": "lte",
    "smallerEqual": "lte", "contains": "contains", "notContains": "not_contains",
    "startsWith": "starts_with", "endsWith": "ends_with", "exists": "exists",
    "notExists": "not_exists", "empty": "is_empty", "isEmpty": "is_empty",
    "notEmpty": "not_empty", "isNotEmpty": "not_empty",
}  # fmt: skip
_UNARY: Final = frozenset({"exists", "not_exists", "is_empty", "not_empty"})


@dataclass(frozen=True)
class Converted:
    """A node of ours: type, data, and the handle of each n8n output."""

    type: str
    data: dict[str, Any]
    handles: tuple[str | None, ...] = (None,)


def _start(parameters: Mapping[str, Any], read: Read) -> Converted:
    return Converted("start", {})


def _pass(parameters: Mapping[str, Any], read: Read) -> Converted:
    return Converted("transform", {"output": {}})


def _set(parameters: Mapping[str, Any], read: Read) -> Converted:
    rows: list[Any] = []
    assignments = parameters.get("assignments")
    if isinstance(assignments, Mapping):
        rows = _list(assignments.get("assignments"))
    values = parameters.get("values")
    if isinstance(values, Mapping):
        rows += [row for kind in values.values() for row in _list(kind)]
    output: dict[str, Any] = {}
    for row in rows:
        if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
            raise NoEquivalent("A field has no name.")
        output[row["name"]] = read(row.get("value"))
    return Converted("transform", {"output": output})


def _http(parameters: Mapping[str, Any], read: Read) -> Converted:
    method = str(parameters.get("method") or parameters.get("requestMethod") or "GET").upper()
    if method not in _METHODS:
        raise NoEquivalent("The HTTP method is not offered.")
    if parameters.get("authentication") not in (None, "", "none"):
        raise NoEquivalent("Credentials are not part of the file: use a secret instead.")
    url = read(parameters.get("url"))
    if not isinstance(url, str) or not url:
        raise NoEquivalent("The request has no address.")
    data: dict[str, Any] = {"method": method, "url": url}
    for ours, theirs in (("headers", "headerParameters"), ("query", "queryParameters")):
        pairs = _pairs(parameters.get(theirs), read)
        if pairs:
            data[ours] = pairs
    body = parameters.get("jsonBody", parameters.get("body"))
    if body is not None:
        data["body"] = read(body)
    elif parameters.get("sendBody"):
        data["body"] = _pairs(parameters.get("bodyParameters"), read)
    return Converted("http", data)


def _pairs(value: Any, read: Read) -> dict[str, Any]:
    rows = _list(value.get("parameters")) if isinstance(value, Mapping) else []
    return {
        str(row["name"]): read(row.get("value"))
        for row in rows
        if isinstance(row, Mapping) and row.get("name")
    }


def _if(parameters: Mapping[str, Any], read: Read) -> Converted:
    conditions = parameters.get("conditions")
    if not isinstance(conditions, Mapping):
        raise NoEquivalent("The node has no condition.")
    terms = [_term(row, read) for row in _rows(conditions)]
    if not terms:
        raise NoEquivalent("The node has no condition.")
    any_of = (conditions.get("combinator") or parameters.get("combineOperation")) in ("or", "any")
    condition = terms[0] if len(terms) == 1 else {"any" if any_of else "all": terms}
    return Converted("condition", {"condition": condition}, ("true", "false"))


def _rows(conditions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = conditions.get("conditions")
    if isinstance(listed, list):
        return [row for row in listed if isinstance(row, Mapping)]
    return [row for kind in conditions.values() for row in _list(kind) if isinstance(row, Mapping)]


def _term(row: Mapping[str, Any], read: Read) -> dict[str, Any]:
    operator = row.get("operator", row.get("operation", "equal"))
    name = operator.get("operation") if isinstance(operator, Mapping) else operator
    op = _OPERATORS.get(str(name))
    if op is None:
        raise NoEquivalent("A comparison is not offered here.")
    left = read(row.get("leftValue", row.get("value1")))
    if op in _UNARY:
        return {"left": left, "op": op}
    return {"left": left, "op": op, "right": read(row.get("rightValue", row.get("value2")))}


def _wait(parameters: Mapping[str, Any], read: Read) -> Converted:
    amount, unit = parameters.get("amount", 1), str(parameters.get("unit", "hours"))
    if parameters.get("resume") in ("webhook", "form"):
        raise NoEquivalent("Waiting for a call is not offered: use an approval or a hook.")
    if not isinstance(amount, int | float) or isinstance(amount, bool) or unit not in _SECONDS:
        raise NoEquivalent("The time span is not a number with a unit.")
    seconds = round(amount * _SECONDS[unit])
    if not 1 <= seconds <= 31_536_000:
        raise NoEquivalent("The time span is not between a second and a year.")
    return Converted("delay", {"seconds": seconds})


def _email(parameters: Mapping[str, Any], read: Read) -> Converted:
    to, subject = read(parameters.get("toEmail")), read(parameters.get("subject"))
    body = read(parameters.get("text") or parameters.get("message"))
    if not (isinstance(to, str) and isinstance(subject, str) and isinstance(body, str)):
        raise NoEquivalent("Only plain-text mail is offered.")
    if not (to and subject and body):
        raise NoEquivalent("The mail has no recipient, subject or text.")
    several = [one.strip() for one in to.split(",") if one.strip()]
    return Converted(
        "email", {"to": several[0] if len(several) == 1 else several, "subject": subject,
                  "body": body}
    )  # fmt: skip


def _fail(parameters: Mapping[str, Any], read: Read) -> Converted:
    message = read(parameters.get("errorMessage") or "Stopped")
    return Converted("fail", {"error": "STOPPED", "message": str(message)[:2000]})


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


CONVERTERS: Final[Mapping[str, Callable[[Mapping[str, Any], Read], Converted]]] = {
    **dict.fromkeys(TRIGGERS, _start),
    "noOp": _pass,
    "merge": _pass,
    "set": _set,
    "httpRequest": _http,
    "if": _if,
    "wait": _wait,
    "emailSend": _email,
    "stopAndError": _fail,
}
