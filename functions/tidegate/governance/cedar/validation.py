"""Whether a text may be stored as a policy (GOV-3, B19), and if not, where and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from tidegate.governance.cedar.compiled import NotCedar, Statement, compiled, tags_read, users_named
from tidegate.governance.cedar.text import (
    TextProblem,
    Token,
    parse_problem,
    problem_at,
    statement_tokens,
    tokens_of,
    too_deep,
)
from tidegate.governance.cedar.vocabulary import schema

MAX_CHARACTERS: Final = 20_000
_MAX_PROBLEMS: Final = 20
_QUOTED = re.compile(r"`([^`]*)`")
_CONSEQUENCE: Final = "unable to find an applicable action"
_PREFIX = re.compile(r"^for policy `policy\d+`[,:] ")


def problems_of(text: str, is_member: Callable[[str], bool]) -> list[TextProblem]:
    """What keeps a text from being a policy of the tenant whose members `is_member` knows."""
    if len(text) > MAX_CHARACTERS:
        return [TextProblem(1, 1, f"is longer than {MAX_CHARACTERS} characters")]
    tokens = tokens_of(text)
    deep = too_deep(text, tokens)
    if deep is not None:
        return [deep]
    wrong = parse_problem(text, tokens, _parse)
    if wrong is not None:
        return [wrong]
    try:
        statements = compiled(text)
    except NotCedar as error:
        return [problem_at(text, tokens[0].start if tokens else 0, str(error))]
    found = _against_schema(text, tokens, statements)
    for number, statement in enumerate(statements):
        place = statement_tokens(tokens, number)
        found += [
            problem_at(text, _place_of(place, [name]), message)
            for name, message in _refused(statement, is_member)
        ]
    return sorted(set(found), key=lambda one: (one.line, one.column, one.message))[:_MAX_PROBLEMS]


def _parse(text: str) -> str | None:
    import cedarpy

    try:
        cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        return str(error)
    return None


def _against_schema(
    text: str, tokens: Sequence[Token], statements: Sequence[Statement]
) -> list[TextProblem]:
    import cedarpy

    tags = sorted(set().union(*(tags_read(statement) for statement in statements)))
    result = cedarpy.validate_policies(text, schema(tags))
    found = []
    for error in result.errors:
        number = int(error.policy_id.removeprefix("policy") or 0) if error.policy_id else 0
        message = _PREFIX.sub("", error.error)
        place = statement_tokens(tokens, number)
        found.append(problem_at(text, _place_of(place, _QUOTED.findall(message)), message))
    if not result.validation_passed and not found:
        found.append(problem_at(text, 0, "does not fit the schema"))
    # What follows from another problem says nothing, and one attribute fails for each action.
    causes = [one for one in found if not one.message.startswith(_CONSEQUENCE)] or found
    return list({(one.line, one.column): one for one in reversed(causes)}.values())


def _place_of(place: Sequence[Token], names: Sequence[str]) -> int:
    """The offset of what a message names, the most exact name first, or else of the statement."""
    for name in names:
        for part in (name, name.split("::")[-1], name.split(".")[-1]):
            for token in place:
                if part and token.text in (part, f'"{part}"'):
                    return token.start
    return place[0].start if place else 0


def _refused(statement: Statement, is_member: Callable[[str], bool]) -> list[tuple[str, str]]:
    """(name in the text, message) of what Cedar lets through and this platform does not."""
    found = []
    asks = False
    try:
        asks = statement.approving is not None
    except NotCedar as error:
        found.append((str(error).split()[0].removeprefix("@"), str(error)))
    if statement.effect == "permit" and statement.is_unconditional and not asks and not found:
        found.append(
            (
                "permit",
                "permits everything to everybody: name actions or roles, or give a condition",
            )
        )
    found += [
        (f"{user_id}", "names a user who is not a member of this tenant")
        for user_id in sorted(users_named(statement))
        if not is_member(user_id)
    ]
    return found
