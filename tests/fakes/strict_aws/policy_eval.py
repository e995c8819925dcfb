"""Pure evaluator of IAM policy documents.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
and .../reference_policies_elements_condition_operators.html.  Anything the evaluator does
not know raises :class:`UnsupportedPolicy`; it never passes in silence.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ContextValue = str | Sequence[str]
Document = Mapping[str, Any]

_STATEMENT_KEYS = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
        "Principal",
        "NotPrincipal",
    }
)
_VERSIONS = ("2012-10-17", "2008-10-17")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL_VARIABLES = {"*": "*", "?": "?", "$": "$"}


class UnsupportedPolicy(NotImplementedError):
    """A condition operator or element that the evaluator does not know."""


class MalformedPolicy(ValueError):
    """The document is not a valid policy (AWS: MalformedPolicyDocument)."""


class Decision(enum.Enum):
    """Outcome of one policy set: an explicit deny wins over any allow."""

    ALLOW = "allow"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


@dataclass(frozen=True)
class Caller:
    """Who calls, as principals are matched: account, and every ARN that means this caller.

    A session of a role matches the role's ARN and its own assumed-role ARN.
    """

    account: str
    arns: frozenset[str] = frozenset()

    @property
    def root_arn(self) -> str:
        """The ARN that stands for the whole account in a Principal element."""
        return f"arn:aws:iam::{self.account}:root"


@dataclass(frozen=True)
class Request:
    """One request to decide.  Context keys are compared without regard to case."""

    action: str
    resource: str = "*"
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    caller: Caller | None = None

    def values(self, key: str) -> list[str] | None:
        """The context values of ``key``; None when the key is absent."""
        wanted = key.lower()
        for name, value in self.context.items():
            if name.lower() == wanted:
                return [value] if isinstance(value, str) else [str(item) for item in value]
        return None


def as_list(value: Any) -> list[Any]:
    """IAM elements may be one value or a list of values."""
    return list(value) if isinstance(value, list | tuple) else [value]


# ---------------------------------------------------------------- patterns


@functools.lru_cache(maxsize=4096)
def _pattern(text: str, ignore_case: bool) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    body = "".join(parts.get(char) or _UNESCAPE.get(char) or re.escape(char) for char in text)
    return re.compile(body, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


# ${*}, ${?} and ${$} are literal characters; they travel as private-use code points.
_ESCAPE = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}
_UNESCAPE = {code: re.escape(char) for char, code in _ESCAPE.items()}
_PLAIN = {ord(code): char for char, code in _ESCAPE.items()}


def wildcard_match(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """``*`` is any run of characters (also ``/`` and ``:``), ``?`` exactly one."""
    return _pattern(pattern, ignore_case).fullmatch(value) is not None


def arn_match(pattern: str, value: str) -> bool:
    """ArnLike: each of the six colon-separated parts is matched on its own."""
    pattern_parts, value_parts = pattern.split(":", 5), value.split(":", 5)
    if len(pattern_parts) != 6 or len(value_parts) != 6:
        return pattern == "*"
    return all(wildcard_match(p, v) for p, v in zip(pattern_parts, value_parts, strict=True))


def resource_match(pattern: str, resource: str) -> bool:
    """A Resource element: ``*`` is everything, else a wildcard over the whole ARN."""
    return wildcard_match(pattern, resource)


def _substitute(text: str, request: Request) -> str | None:
    """Fills ``${aws:PrincipalTag/x}`` and the like; None when a variable has no value."""
    missing = False

    def replace(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = match.group(1).partition(",")
        name = name.strip()
        if name in _LITERAL_VARIABLES:
            return _ESCAPE[name]
        values = request.values(name)
        if values is not None and len(values) == 1:
            value = values[0]
        elif default:
            value = default.strip().strip("'")
        else:
            missing = True
            return ""
        # A value is data: its own wildcards match literally.
        return value.replace("*", _ESCAPE["*"]).replace("?", _ESCAPE["?"])

    filled = _VARIABLE.sub(replace, text)
    return None if missing else filled


# ---------------------------------------------------------------- conditions


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # every comparison with it is false, as in AWS


def _date(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return float("nan")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.timestamp()


def _in_network(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def _plain(text: str) -> str:
    return text.translate(_PLAIN)


Comparison = Callable[[str, str], bool]  # (value in the policy, value in the request)

_POSITIVE: dict[str, Comparison] = {
    "StringEquals": lambda p, v: _plain(p) == v,
    "StringEqualsIgnoreCase": lambda p, v: _plain(p).casefold() == v.casefold(),
    "StringLike": lambda p, v: wildcard_match(p, v),
    "ArnEquals": arn_match,
    "ArnLike": arn_match,
    "Bool": lambda p, v: p.lower() == v.lower(),
    "BinaryEquals": lambda p, v: p == v,
    "NumericEquals": lambda p, v: _number(p) == _number(v),
    "NumericLessThan": lambda p, v: _number(v) < _number(p),
    "NumericLessThanEquals": lambda p, v: _number(v) <= _number(p),
    "NumericGreaterThan": lambda p, v: _number(v) > _number(p),
    "NumericGreaterThanEquals": lambda p, v: _number(v) >= _number(p),
    "DateEquals": lambda p, v: _date(p) == _date(v),
    "DateLessThan": lambda p, v: _date(v) < _date(p),
    "DateLessThanEquals": lambda p, v: _date(v) <= _date(p),
    "DateGreaterThan": lambda p, v: _date(v) > _date(p),
    "DateGreaterThanEquals": lambda p, v: _date(v) >= _date(p),
    "IpAddress": _in_network,
}
_NEGATIVE: dict[str, str] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
_BY_LOWER_NAME = {name.lower(): name for name in (*_POSITIVE, *_NEGATIVE, "Null")}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parse_operator(operator: str) -> tuple[str, str, bool]:
    """``ForAnyValue:StringLikeIfExists`` -> (quantifier, base operator, if-exists)."""
    quantifier, separator, name = operator.rpartition(":")
    lowered = quantifier.lower()
    if separator and lowered not in ("foranyvalue", "forallvalues"):
        raise UnsupportedPolicy(f"unknown set operator {operator!r}")
    if_exists = name.lower().endswith("ifexists")
    base = _BY_LOWER_NAME.get(name.lower().removesuffix("ifexists"))
    if base is None or (base == "Null" and (if_exists or separator)):
        raise UnsupportedPolicy(f"unknown condition operator {operator!r}")
    return lowered, base, if_exists


def _condition_holds(operator: str, key: str, wanted: Any, request: Request) -> bool:
    quantifier, base, if_exists = _parse_operator(operator)
    actual = request.values(key)
    if base == "Null":
        must_be_absent = [_text(item).lower() == "true" for item in as_list(wanted)]
        return any((actual is None or not actual) is absent for absent in must_be_absent)
    negated = base in _NEGATIVE
    compare = _POSITIVE[_NEGATIVE.get(base, base)]
    if actual is None:
        # Absent key: IfExists and negated operators hold, and so does ForAllValues.
        return if_exists or quantifier == "forallvalues" or (negated and not quantifier)
    patterns = [_substitute(_text(item), request) for item in as_list(wanted)]
    usable = [pattern for pattern in patterns if pattern is not None]

    def holds(value: str) -> bool:
        return any(compare(pattern, value) for pattern in usable) is not negated

    if quantifier == "foranyvalue":
        return any(holds(value) for value in actual)
    if quantifier == "forallvalues":
        return all(holds(value) for value in actual)
    if len(actual) != 1:
        # AWS gives no dependable answer here, so the policy is at fault.
        raise UnsupportedPolicy(f"{key} has several values: use ForAllValues or ForAnyValue")
    return holds(actual[0])


def conditions_hold(conditions: Mapping[str, Any] | None, request: Request) -> bool:
    """All operators AND all keys must hold; several values of one key are ORed."""
    results = [
        _condition_holds(operator, key, wanted, request)
        for operator, block in (conditions or {}).items()
        for key, wanted in block.items()
    ]  # a list, so that an unknown operator raises even behind a false condition
    return all(results)


# ---------------------------------------------------------------- statements


def principal_matches(principal: Any, caller: Caller | None) -> bool:
    """Whether a Principal element names the caller (AWS principals only)."""
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        raise MalformedPolicy(f"invalid principal {principal!r}")
    for kind, values in principal.items():
        if kind in ("Service", "Federated", "CanonicalUser"):
            continue
        if kind != "AWS":
            raise UnsupportedPolicy(f"unknown principal type {kind!r}")
        for value in as_list(values):
            if value == "*":
                return True
            if caller is None:
                continue
            if value in (caller.account, caller.root_arn) or value in caller.arns:
                return True
    return False


def names_principal_exactly(principal: Any, caller: Caller) -> bool:
    """True when the element names this very role, user or session, not just its account."""
    if not isinstance(principal, Mapping):
        return False
    return any(value in caller.arns for value in as_list(principal.get("AWS", [])))


def _action_matches(statement: Mapping[str, Any], action: str) -> bool:
    def any_match(patterns: Any) -> bool:
        return any(wildcard_match(str(p), action, ignore_case=True) for p in as_list(patterns))

    if "NotAction" in statement:
        return not any_match(statement["NotAction"])
    return any_match(statement.get("Action", []))


def _resource_matches(statement: Mapping[str, Any], request: Request) -> bool:
    def any_match(patterns: Any) -> bool:
        filled = (_substitute(str(pattern), request) for pattern in as_list(patterns))
        return any(
            resource_match(pattern, request.resource) for pattern in filled if pattern is not None
        )

    if "NotResource" in statement:
        return not any_match(statement["NotResource"])
    if "Resource" in statement:
        return any_match(statement["Resource"])
    return True  # a trust policy has no Resource element


def statement_applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether one statement, whatever its effect, speaks about the request."""
    if "NotPrincipal" in statement:
        raise UnsupportedPolicy("NotPrincipal is not evaluated")
    if "Principal" in statement and not principal_matches(statement["Principal"], request.caller):
        return False
    # Conditions first: an unknown operator must raise whatever the action is.
    held = conditions_hold(statement.get("Condition"), request)
    return (
        held
        and _action_matches(statement, request.action)
        and _resource_matches(statement, request)
    )


def statements(document: Document) -> list[Mapping[str, Any]]:
    """The statements of a parsed document as a list."""
    return as_list(document.get("Statement", []))


def evaluate(documents: Iterable[Document], request: Request) -> Decision:
    """Evaluates one set of policies (they are ORed): Deny wins, no Allow means deny."""
    decision = Decision.IMPLICIT_DENY
    for document in documents:
        for statement in statements(document):
            if not statement_applies(statement, request):
                continue
            if statement["Effect"] == "Deny":
                return Decision.EXPLICIT_DENY
            decision = Decision.ALLOW
    return decision


# ---------------------------------------------------------------- parsing


def parse_policy(text: str | Document, *, kind: str = "identity") -> Document:
    """Parses and checks a document as AWS does on write.

    ``kind`` is ``identity`` (also session policies: Resource needed, no Principal) or
    ``trust`` (Principal needed, no Resource).  Raises :class:`MalformedPolicy`.
    """
    document: Any = text
    if isinstance(text, str):
        try:
            document = json.loads(text)
        except ValueError as error:
            raise MalformedPolicy("the policy is not valid JSON") from error
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise MalformedPolicy("the policy has no Statement")
    if set(document) - {"Version", "Id", "Statement"}:
        raise MalformedPolicy(f"unknown policy elements {sorted(document)}")
    if document.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise MalformedPolicy(f"unknown policy version {document['Version']!r}")
    parsed = statements(document)
    if not parsed:
        raise MalformedPolicy("the policy has no statement")
    for statement in parsed:
        _check_statement(statement, kind)
    return document


def _check_statement(statement: Any, kind: str) -> None:
    if not isinstance(statement, Mapping):
        raise MalformedPolicy("a statement is not an object")
    unknown = set(statement) - _STATEMENT_KEYS
    if unknown:
        raise MalformedPolicy(f"unknown statement elements {sorted(unknown)}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy("Effect must be Allow or Deny")
    if ("Action" in statement) == ("NotAction" in statement):
        raise MalformedPolicy("exactly one of Action and NotAction is needed")
    for element in ("Action", "NotAction"):
        for action in as_list(statement.get(element, [])):
            if not isinstance(action, str) or (action != "*" and ":" not in action):
                raise MalformedPolicy(f"invalid action {action!r}")
    has_principal = "Principal" in statement or "NotPrincipal" in statement
    has_resource = "Resource" in statement or "NotResource" in statement
    if kind == "trust":
        if not has_principal or has_resource:
            raise MalformedPolicy("a trust policy needs a Principal and has no Resource")
    elif has_principal or not has_resource:
        raise MalformedPolicy("the policy needs a Resource and has no Principal")
    elif "Resource" in statement and "NotResource" in statement:
        raise MalformedPolicy("Resource and NotResource exclude each other")
    for element in ("Resource", "NotResource"):
        for resource in as_list(statement.get(element, [])):
            if not isinstance(resource, str):
                raise MalformedPolicy(f"invalid resource {resource!r}")
            if resource != "*" and len(resource.split(":", 5)) != 6 and "$" not in resource:
                raise MalformedPolicy(f"resource {resource!r} is not an ARN or *")
    condition = statement.get("Condition", {})
    if not isinstance(condition, Mapping) or not all(
        isinstance(block, Mapping) for block in condition.values()
    ):
        raise MalformedPolicy("Condition must be an object of objects")
