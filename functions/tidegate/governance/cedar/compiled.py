"""A policy text as statements: effect, annotations and Cedar's own JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from tidegate.governance.cedar.text import tokens_of, too_deep
from tidegate.governance.cedar.vocabulary import APPROVER_ROLES

_MAX_QUORUM: Final = 10
_MAX_EXPIRY: Final = 720
_DEFAULT_EXPIRY: Final = 72


class NotCedar(ValueError):
    """The text is not Cedar, or is beyond what is evaluated."""


@dataclass(frozen=True)
class Approving:
    """What a permit asks for before it permits."""

    quorum: int = 1
    approver_role: str = "client"
    expiry_hours: int = _DEFAULT_EXPIRY


@dataclass(frozen=True)
class Statement:
    """One permit or forbid."""

    effect: Literal["permit", "forbid"]
    annotations: Mapping[str, str]
    form: Mapping[str, Any]

    @property
    def approving(self) -> Approving | None:
        """The approval that a permit needs; None for a plain one. Raises NotCedar."""
        asked = self._value("require_approval", "false")
        if asked not in ("true", "false"):
            raise NotCedar('@require_approval is "true" or "false"')
        made = Approving(
            self._number("quorum", 1, _MAX_QUORUM),
            self._value("approver_role", "client"),
            self._number("expiry_hours", _DEFAULT_EXPIRY, _MAX_EXPIRY),
        )
        if made.approver_role not in APPROVER_ROLES:
            raise NotCedar(f"@approver_role is one of {', '.join(APPROVER_ROLES)}")
        return made if asked == "true" and self.effect == "permit" else None

    @property
    def is_unconditional(self) -> bool:
        """True for a statement about everybody, every action and every resource, always."""
        everything = all(
            self.form[part]["op"] == "All" for part in ("principal", "action", "resource")
        )
        return everything and not self.form["conditions"]

    def _value(self, name: str, default: str) -> str:
        return self.annotations.get(name, default)

    def _number(self, name: str, default: int, most: int) -> int:
        text = self._value(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= most):
            raise NotCedar(f'@{name} is a whole number from "1" to "{most}"')
        return int(text)


@lru_cache(maxsize=256)
def compiled(text: str) -> tuple[Statement, ...]:
    """The statements of a text, in its order. Raises NotCedar. Texts never change: cached."""
    import cedarpy

    tokens = tokens_of(text)
    deep = too_deep(text, tokens)
    if deep is not None:
        raise NotCedar(deep.message)
    try:
        form = json.loads(cedarpy.policies_to_json_str(text))
    except RecursionError as error:
        raise NotCedar("holds too many operators in one expression") from error
    except ValueError as error:
        raise NotCedar(str(error)) from error
    if form["templates"] or form["templateLinks"]:
        raise NotCedar("?principal and ?resource are not supported: name what you mean")
    static = form["staticPolicies"]
    if not static:
        raise NotCedar("holds no permit and no forbid")
    # Cedar names statements policy0, policy1, ... in the order of the text.
    ordered = [static[f"policy{number}"] for number in range(len(static))]
    return tuple(
        Statement(
            each["effect"],
            {name: value or "" for name, value in each.get("annotations", {}).items()},
            each,
        )
        for each in ordered
    )


def walk(form: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in Cedar's JSON form."""
    work = [form]
    while work:
        part = work.pop()
        if isinstance(part, dict):
            yield part
            work.extend(part.values())
        elif isinstance(part, list):
            work.extend(part)


def tags_read(statement: Statement) -> set[str]:
    """The names of the resource's tags that a statement reads as `resource.tags`."""
    found = set()
    for part in walk(statement.form["conditions"]):
        for operator in (".", "has"):
            access = part.get(operator)
            if isinstance(access, dict) and _is_tags(access.get("left")):
                found.add(str(access["attr"]))
    return found


def users_named(statement: Statement) -> set[str]:
    """The ids of the users that a statement names."""
    found = set()
    for part in walk(statement.form):
        entity = part.get("__entity", part.get("entity", part))
        if isinstance(entity, dict) and entity.get("type") == "User" and "id" in entity:
            found.add(str(entity["id"]))
    return found


def _is_tags(form: Any) -> bool:
    return bool(form == {".": {"left": {"Var": "resource"}, "attr": "tags"}})
