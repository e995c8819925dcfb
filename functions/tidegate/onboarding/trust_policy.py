"""Judges the trust policy of a customer's role: only our role, only with our External ID.

Probing finds policies that let everybody in; a list with a second id, or a prefix pattern, passes
every probe and shows only here (hazards section 3, "Probe protocol"). The rules of condition
operators are those of the IAM user guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tidegate.onboarding.domain import Refusal, RefusalCode

_KEY = "sts:externalid"
# Any other UUID: what a pattern lets in besides our id is told by what it does with this one.
_STRANGER = "5b1e2c9a-7f43-4d0e-9c6b-31a8f0d2e457"
_LIMITING = frozenset({"stringequals", "stringequalsignorecase", "stringlike"})
# Alone these let nobody in: a session needs sts:AssumeRole.
_HARMLESS = frozenset({"sts:tagsession", "sts:setsourceidentity"})
_WORST_FIRST: tuple[RefusalCode, ...] = (
    "EXTERNAL_ID_NOT_ENFORCED",
    "EXTERNAL_ID_NOT_CHECKED",
    "TRUST_TOO_BROAD",
    "ROLE_NOT_ASSUMABLE",
    "TRUST_UNREADABLE",
)

_WANTED = (
    "The trust policy must hold one Allow statement: Principal AWS = the PlatformRoleArn of the "
    "template and nothing else, Action sts:AssumeRole and sts:TagSession, Condition StringEquals "
    "with sts:ExternalId = the external_id of this request and nothing else. "
    "Deploying the template again restores it."
)
FIXES: dict[RefusalCode, str] = {
    "ROLE_NOT_ASSUMABLE": (
        "Tidegate cannot assume the role. Create the template's stack, or check the role's name. "
        + _WANTED
    ),
    "EXTERNAL_ID_NOT_ENFORCED": (
        "The role can be assumed without an External ID. Do not use ...IfExists, ForAllValues or "
        "negated operators on sts:ExternalId. " + _WANTED
    ),
    "EXTERNAL_ID_NOT_CHECKED": (
        "The role can be assumed with any External ID. Compare it with StringEquals, without "
        "wildcards. " + _WANTED
    ),
    "TRUST_TOO_BROAD": (
        "The trust policy lets in more than Tidegate with this External ID: another principal, a "
        "second statement, a second id or a pattern. Remove what is not needed. " + _WANTED
    ),
    "TRUST_UNREADABLE": (
        "Tidegate cannot read the role's trust policy. Allow the role the action iam:GetRole on "
        "itself, as the template does."
    ),
    "ACCOUNT_MISMATCH": (
        "The role belongs to another AWS account than the one declared in this request. Give the "
        "role of the declared account, or create a request for the other account."
    ),
    "INVALID_AWS_CREDENTIALS": (
        "AWS does not accept the stored access keys any more. Send new keys of the same account."
    ),
}


def refusal(code: RefusalCode) -> Refusal:
    """The refusal of a code with its fix."""
    return Refusal(code, FIXES[code])


def judge(document: object, platform_role_arn: str, external_id: str) -> Refusal | None:
    """None when the policy lets in `platform_role_arn` with `external_id` and nothing else.

    `document` is the parsed trust policy. Several faults give the worst one's code.
    """
    try:
        statements = list(_statements(document))
    except _Malformed:
        return refusal("TRUST_UNREADABLE")
    guarded = any(_denies_strangers(s, platform_role_arn, external_id) for s in statements)
    allows = [s for s in statements if s.effect == "allow"]
    found = {_fault(s, platform_role_arn, external_id, guarded=guarded) for s in allows}
    if not any(_lets_in(s, platform_role_arn) for s in allows):
        found.add("ROLE_NOT_ASSUMABLE")
    return next((refusal(code) for code in _WORST_FIRST if code in found), None)


class _Malformed(Exception):
    """Not a policy document as IAM stores them."""


@dataclass(frozen=True)
class _Statement:
    effect: str
    principals: frozenset[tuple[str, str]]  # (type, value); Principal "*" is ("AWS", "*")
    actions: frozenset[str]  # lower case
    limits: tuple[_Limit, ...]
    others: int  # conditions on other keys
    plain: bool  # no NotPrincipal, NotAction, Resource


@dataclass(frozen=True)
class _Limit:
    """One condition on sts:ExternalId."""

    operator: str  # lower case, without quantifier and IfExists
    quantified: bool
    values: tuple[str, ...]
    demands_id: bool  # false where the condition holds for a request without the key


def _statements(document: object) -> Iterator[_Statement]:
    if not isinstance(document, Mapping):
        raise _Malformed
    listed = document.get("Statement")
    for statement in [listed] if isinstance(listed, Mapping) else _list(listed):
        if not isinstance(statement, Mapping):
            raise _Malformed
        effect = statement.get("Effect")
        if effect not in {"Allow", "Deny"}:
            raise _Malformed
        conditions = list(_conditions(statement.get("Condition")))
        limits = tuple(_limit(op, values) for op, key, values in conditions if key == _KEY)
        yield _Statement(
            effect=str(effect).lower(),
            principals=_principals(statement.get("Principal")),
            actions=frozenset(str(a).lower() for a in _texts(statement.get("Action", []))),
            limits=limits,
            others=len(conditions) - len(limits),
            plain=not {"NotPrincipal", "NotAction", "Resource", "NotResource"} & set(statement),
        )


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _Malformed
    return value


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str | bool | int) for v in values):
        raise _Malformed
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in values]


def _principals(value: object) -> frozenset[tuple[str, str]]:
    if value is None:
        return frozenset()
    if value == "*":
        return frozenset({("AWS", "*")})
    if not isinstance(value, Mapping):
        raise _Malformed
    return frozenset((str(kind), text) for kind, texts in value.items() for text in _texts(texts))


def _conditions(value: object) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise _Malformed
    for operator, block in value.items():
        if not isinstance(block, Mapping):
            raise _Malformed
        for key, values in block.items():
            yield str(operator).lower(), str(key).lower(), tuple(_texts(values))


def _limit(operator: str, values: tuple[str, ...]) -> _Limit:
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("ifexists")
    if base == "null":
        demands_id = all(v.lower() == "false" for v in values)
    else:
        demands_id = base in _LIMITING and name == base and quantifier != "forallvalues"
    return _Limit(base, bool(quantifier), values, demands_id)


def _lets_in(statement: _Statement, role: str) -> bool:
    return bool(_reaching(role) & statement.principals) and bool(statement.actions - _HARMLESS)


def _reaching(role: str) -> frozenset[tuple[str, str]]:
    """Every principal under which our role is let in."""
    partition, account = role.split(":")[1], role.split(":")[4]
    names = (role, "*", account, f"arn:{partition}:iam::{account}:root")
    return frozenset(("AWS", name) for name in names)


def _fault(
    statement: _Statement, role: str, external_id: str, *, guarded: bool
) -> RefusalCode | None:
    if not statement.plain:
        return "TRUST_TOO_BROAD"
    only_us = statement.principals == {("AWS", role)}
    if statement.actions <= _HARMLESS:
        return None if only_us else "TRUST_TOO_BROAD"
    if not _reaching(role) & statement.principals:
        return "TRUST_TOO_BROAD"  # somebody else's way in
    fault = None if guarded else _external_id_fault(statement.limits, external_id)
    return fault or (None if only_us else "TRUST_TOO_BROAD")


def _external_id_fault(limits: tuple[_Limit, ...], external_id: str) -> RefusalCode | None:
    if not any(limit.demands_id for limit in limits):
        return "EXTERNAL_ID_NOT_ENFORCED"
    limiting = [limit for limit in limits if limit.operator in _LIMITING]
    if any(_only(limit, external_id) for limit in limiting):
        return None
    if any(not _matches(limit, _STRANGER) for limit in limiting):
        return "TRUST_TOO_BROAD"
    return "EXTERNAL_ID_NOT_CHECKED"


def _only(limit: _Limit, external_id: str) -> bool:
    # Our ids hold no wildcard, so an equal pattern matches nothing else.
    return set(limit.values) == {external_id}


def _matches(limit: _Limit, value: str) -> bool:
    if limit.operator == "stringlike":
        return any(_like(pattern, value) for pattern in limit.values)
    return any(value.lower() == text.lower() for text in limit.values)


def _like(pattern: str, value: str) -> bool:
    # A policy variable may become anything, so it counts as a wildcard. A pattern of many stars
    # takes fnmatch linear time, as backtracking would not (D10).
    wild = re.sub(r"\$\{[^}]*\}", "*", pattern)
    return fnmatchcase(value, wild.replace("[", "[[]"))


def _denies_strangers(statement: _Statement, role: str, external_id: str) -> bool:
    """True for a Deny of every request whose External ID is absent or not ours.

    StringNotEquals holds for an absent key, so this closes the door as well as an Allow does.
    """
    if statement.effect != "deny" or not statement.plain or statement.others:
        return False
    if not statement.principals & {("AWS", "*"), ("AWS", role)}:
        return False
    if not statement.actions & {"sts:assumerole", "sts:*", "*"} or len(statement.limits) != 1:
        return False
    (limit,) = statement.limits
    # ForAnyValue:StringNotEquals is false without the key, so it denies nobody who sends none.
    return (
        limit.operator == "stringnotequals"
        and not limit.quantified
        and limit.values == (external_id,)
    )
