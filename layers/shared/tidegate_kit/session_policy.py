"""Session policies of more than one statement: exact resources, split when too long (FND-8, G28).

STS takes 2,048 characters, and packs them with the session's tags into a form with a limit of its
own (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html, PackedPolicySize).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate_kit.aws_session import MAX_POLICY_CHARS, SessionPolicyTooLarge

_MARKS = ("*", "?", "$")


def literal(text: str) -> str:
    """`text` if IAM reads it as it stands. Raises ValueError for wildcards and variables (G28)."""
    if not text or any(mark in text for mark in _MARKS):
        raise ValueError("wildcards and variables are refused in a planned resource")
    return text


@dataclass(frozen=True)
class Grant:
    """One Allow statement: these actions on these resources under these conditions.

    `resources` are exact ARNs. `patterns` are ARNs with a wildcard of our own making, for what has
    no name yet (a snapshot about to be made) and for services whose ARNs end in one; whatever they
    hold of a customer's names went through `literal`.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    conditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.actions or any("*" in action or "?" in action for action in self.actions):
            raise ValueError("a grant names its actions one by one")
        if not self.resources and not self.patterns:
            raise ValueError("a grant names its resources")
        for arn in self.resources:
            literal(arn)

    def statement(self) -> dict[str, Any]:
        """The statement of a policy document."""
        made: dict[str, Any] = {
            "Effect": "Allow",
            "Action": sorted(set(self.actions)),
            "Resource": sorted({*self.resources, *self.patterns}),
        }
        if self.conditions:
            made["Condition"] = {name: dict(keys) for name, keys in self.conditions.items()}
        return made


def reading(actions: Iterable[str]) -> Grant:
    """Reads of the kind that IAM cannot limit to a resource (Describe*, List*)."""
    return Grant(tuple(actions), patterns=("*",))


def policy_of(grants: Sequence[Grant]) -> str:
    """An inline policy of these grants. Raises SessionPolicyTooLarge beyond 2,048 characters."""
    text = _text(grants)
    if len(text) > MAX_POLICY_CHARS:
        raise SessionPolicyTooLarge(f"{len(text)} characters")
    return text


def split(grants: Sequence[Grant]) -> list[str]:
    """As few policies as needed, in order, that together allow exactly these grants.

    Raises SessionPolicyTooLarge for a grant that is too long with one resource: nothing is ever
    widened to fit.
    """
    policies: list[str] = []
    batch: list[Grant] = []
    for grant in grants:
        for part in _fitting(grant):
            if batch and len(_text([*batch, part])) > MAX_POLICY_CHARS:
                policies.append(policy_of(batch))
                batch = []
            batch.append(part)
    if batch:
        policies.append(policy_of(batch))
    return policies


def _fitting(grant: Grant) -> list[Grant]:
    if len(_text([grant])) <= MAX_POLICY_CHARS:
        return [grant]
    named = [(arn, "") for arn in grant.resources] + [("", arn) for arn in grant.patterns]
    if len(named) < 2:
        raise SessionPolicyTooLarge("one resource is too long for a policy")
    middle = len(named) // 2
    return [
        part for some in (named[:middle], named[middle:]) for part in _fitting(_only(grant, some))
    ]


def _only(grant: Grant, named: Sequence[tuple[str, str]]) -> Grant:
    resources = tuple(arn for arn, _ in named if arn)
    patterns = tuple(arn for _, arn in named if arn)
    return replace(grant, resources=resources, patterns=patterns)


def _text(grants: Sequence[Grant]) -> str:
    statements = [grant.statement() for grant in grants]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
