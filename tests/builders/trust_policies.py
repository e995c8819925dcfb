"""Trust policies as customers write them, each with what must come of it.

`judged` is the verdict of reading alone, `verified` that of the probes and reading together; a
policy that keeps us out passes reading, since it lets nobody else in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
OURS = ["sts:AssumeRole", "sts:TagSession"]


@dataclass(frozen=True)
class TrustCase:
    """One policy. `make(platform role ARN, external id)`; codes None: good."""

    name: str
    make: Callable[[str, str], Document]
    judged: str | None
    verified: str | None
    on_double: bool = True


def _doc(*statements: Mapping[str, Any]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(principal: Any, actions: Any = None, **condition: Any) -> Document:
    statement: Document = {
        "Effect": "Allow",
        "Principal": principal if isinstance(principal, dict) or principal == "*"
        else {"AWS": principal},
        "Action": actions or OURS,
    }  # fmt: skip
    if condition:
        statement["Condition"] = {name.replace("__", ":"): v for name, v in condition.items()}
    return statement


def _deny(principal: Any, **condition: Any) -> Document:
    return {**_allow(principal, **condition), "Effect": "Deny"}


def _is(operator: str) -> Callable[[str, str], Document]:
    return lambda role, xid: _doc(_allow(role, **{operator: {"sts:ExternalId": xid}}))


def _good(role: str, xid: str) -> Document:
    return _allow(role, StringEquals={"sts:ExternalId": xid})


def _root(role: str) -> str:
    return f"arn:aws:iam::{role.split(':')[4]}:root"


OTHER_ROLE = "arn:aws:iam::333333333333:role/other"
OTHER_ID = "0f8f5a52-6a57-4f3c-8f0e-0d5f6f1d2b3c"
NOT_ENFORCED, NOT_CHECKED = "EXTERNAL_ID_NOT_ENFORCED", "EXTERNAL_ID_NOT_CHECKED"
BROAD, NOT_ASSUMABLE, UNREADABLE = "TRUST_TOO_BROAD", "ROLE_NOT_ASSUMABLE", "TRUST_UNREADABLE"


def _both(name: str, make: Callable[[str, str], Document], code: str | None) -> TrustCase:
    return TrustCase(name, make, code, code)


CASES: list[TrustCase] = [
    # ---- good
    _both("template", lambda r, x: _doc(_good(r, x)), None),
    _both(
        "one-id-in-a-list",
        lambda r, x: _doc(_allow(r, StringEquals={"sts:ExternalId": [x]})),
        None,
    ),
    _both(
        "principal-in-a-list", lambda r, x: _doc(_good(r, x) | {"Principal": {"AWS": [r]}}), None
    ),
    _both("like-without-wildcard", _is("StringLike"), None),
    _both("any-value-equals", _is("ForAnyValue:StringEquals"), None),
    _both(
        "key-in-capitals",
        lambda r, x: _doc(_allow(r, StringEquals={"STS:EXTERNALID": x})),
        None,
    ),
    _both(
        "if-exists-but-demanded",
        lambda r, x: _doc(
            _allow(r, StringEqualsIfExists={"sts:ExternalId": x}, Null={"sts:ExternalId": "false"})
        ),
        None,
    ),
    _both(
        "tagging-apart",
        lambda r, x: _doc(
            _allow(r, "sts:AssumeRole", StringEquals={"sts:ExternalId": x}),
            _allow(r, "sts:TagSession"),
        ),
        None,
    ),
    _both("every-sts-action", lambda r, x: _doc(_good(r, x) | {"Action": "sts:*"}), None),
    _both(
        "narrowed-further",
        lambda r, x: _doc(_allow(r, StringEquals={"sts:ExternalId": x, "aws:PrincipalArn": r})),
        None,
    ),
    _both(
        "denies-strangers",
        lambda r, x: _doc(_allow(r), _deny("*", StringNotEquals={"sts:ExternalId": x})),
        None,
    ),
    _both("statement-not-in-a-list", lambda r, x: {"Statement": _good(r, x)}, None),
    # ---- nobody needs an id
    _both("no-condition", lambda r, x: _doc(_allow(r)), NOT_ENFORCED),
    _both("if-exists", _is("StringEqualsIfExists"), NOT_ENFORCED),
    _both("like-if-exists", _is("StringLikeIfExists"), NOT_ENFORCED),
    _both("all-values", _is("ForAllValues:StringEquals"), NOT_ENFORCED),
    _both(
        "not-equals",
        lambda r, x: _doc(_allow(r, StringNotEquals={"sts:ExternalId": "nobody"})),
        NOT_ENFORCED,
    ),
    _both("anybody", lambda r, x: _doc(_allow("*")), NOT_ENFORCED),
    _both("any-aws-principal", lambda r, x: _doc(_allow({"AWS": "*"})), NOT_ENFORCED),
    _both("second-way-in-for-us", lambda r, x: _doc(_good(r, x), _allow(r)), NOT_ENFORCED),
    _both(
        "condition-on-tagging-only",
        lambda r, x: _doc(
            _allow(r, "sts:AssumeRole"),
            _allow(r, "sts:TagSession", StringEquals={"sts:ExternalId": x}),
        ),
        NOT_ENFORCED,
    ),
    _both(
        "deny-that-needs-a-value",
        lambda r, x: _doc(
            _allow(r), _deny("*", **{"ForAnyValue:StringNotEquals": {"sts:ExternalId": x}})
        ),
        NOT_ENFORCED,
    ),
    # ---- any id will do
    _both(
        "like-anything",
        lambda r, x: _doc(_allow(r, StringLike={"sts:ExternalId": "*"})),
        NOT_CHECKED,
    ),
    _both(
        "like-any-uuid",
        lambda r, x: _doc(_allow(r, StringLike={"sts:ExternalId": "????????-*-4*-*-*"})),
        NOT_CHECKED,
    ),
    _both(
        "ours-or-anything",
        lambda r, x: _doc(_allow(r, StringLike={"sts:ExternalId": [x, "*"]})),
        NOT_CHECKED,
    ),
    _both("present", lambda r, x: _doc(_allow(r, Null={"sts:ExternalId": "false"})), NOT_CHECKED),
    _both(
        "present-and-not-equals",
        lambda r, x: _doc(
            _allow(r, StringNotEquals={"sts:ExternalId": "n"}, Null={"sts:ExternalId": "false"})
        ),
        NOT_CHECKED,
    ),
    # ---- more than us, or more than our id; only reading shows it
    _both(
        "second-id",
        lambda r, x: _doc(_allow(r, StringEquals={"sts:ExternalId": [x, OTHER_ID]})),
        BROAD,
    ),
    _both(
        "prefix", lambda r, x: _doc(_allow(r, StringLike={"sts:ExternalId": x[:9] + "*"})), BROAD
    ),
    _both("anybody-with-our-id", lambda r, x: _doc(_good(r, x) | {"Principal": "*"}), BROAD),
    _both("our-whole-account", lambda r, x: _doc(_good(_root(r), x)), BROAD),
    _both("our-account-number", lambda r, x: _doc(_good(r.split(":")[4], x)), BROAD),
    _both(
        "another-principal",
        lambda r, x: _doc(_good(r, x) | {"Principal": {"AWS": [r, OTHER_ROLE]}}),
        BROAD,
    ),
    _both("second-statement", lambda r, x: _doc(_good(r, x), _allow(OTHER_ROLE)), BROAD),
    _both(
        "principal-of-another-partition",
        lambda r, x: _doc(
            _good(r, x) | {"Principal": {"AWS": [r, r.replace("arn:aws:", "arn:aws-cn:")]}}
        ),
        BROAD,
    ),
    _both(
        "federated",
        lambda r, x: _doc(
            _good(r, x),
            _allow({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity"),
        ),
        BROAD,
    ),
    _both(
        "service",
        lambda r, x: _doc(_good(r, x), _allow({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole")),
        BROAD,
    ),
    TrustCase(
        "not-principal",
        lambda r, x: _doc(
            _good(r, x),
            {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER_ROLE}, "Action": OURS},
        ),
        BROAD,
        BROAD,
        on_double=False,
    ),
    TrustCase(
        "not-action",
        lambda r, x: _doc(
            {
                "Effect": "Allow",
                "Principal": {"AWS": r},
                "NotAction": "s3:*",
                "Condition": {"StringEquals": {"sts:ExternalId": x}},
            }
        ),
        BROAD,
        BROAD,
        on_double=False,
    ),
    # ---- we are kept out
    TrustCase("another-id", lambda r, x: _doc(_good(r, OTHER_ID)), BROAD, NOT_ASSUMABLE),
    TrustCase("denied", lambda r, x: _doc(_good(r, x), _deny(r)), None, NOT_ASSUMABLE),
    TrustCase(
        "tagging-not-allowed",
        lambda r, x: _doc(_good(r, x) | {"Action": "sts:AssumeRole"}),
        None,
        NOT_ASSUMABLE,
    ),
    TrustCase(
        "absent-id-demanded",
        lambda r, x: _doc(_allow(r, Null={"sts:ExternalId": "true"})),
        NOT_ENFORCED,
        NOT_ASSUMABLE,
    ),
    TrustCase("somebody-else", lambda r, x: _doc(_good(OTHER_ROLE, x)), BROAD, NOT_ASSUMABLE),
    TrustCase("nobody", lambda r, x: _doc(_deny("*")), NOT_ASSUMABLE, NOT_ASSUMABLE),
]
