"""What a configuration shows of its secrets, and how a mask sent back keeps them (INT-1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_kit.errors import Detail

_WORDS = ("password", "secret", "token", "key", "credential", "auth")
_STARS = "***"
_SHOWN = 4
_SHORT = 8
_ABSENT: Any = object()


def is_secret_name(name: str) -> bool:
    """Whether values under this key are secret."""
    lower = name.lower()
    return any(word in lower for word in _WORDS)


def mask(value: Any) -> str:
    """*** and the last four characters; *** alone for short texts and what is no text."""
    if isinstance(value, str) and len(value) >= _SHORT:
        return _STARS + value[-_SHOWN:]
    return _STARS


def masked(node: Any, *, hidden: bool = False) -> Any:
    """A configuration as it is shown; everything below a secret key is secret."""
    if isinstance(node, Mapping):
        return {
            key: masked(value, hidden=hidden or is_secret_name(key)) for key, value in node.items()
        }
    if isinstance(node, list):
        return [masked(value, hidden=hidden) for value in node]
    return mask(node) if hidden and node is not None else node


def unmasked(sent: Any, stored: Any) -> tuple[Any, list[Detail]]:
    """`sent` with each mask replaced by the stored value it was made of, and what is no such mask.

    `stored` is None for a new account. A mask that stands for nothing is never stored as a value.
    """
    problems: list[Detail] = []
    plain = _filled(sent, stored, "configuration", False, problems)
    return plain, problems


def _filled(sent: Any, stored: Any, path: str, hidden: bool, problems: list[Detail]) -> Any:
    if isinstance(sent, Mapping):
        old = stored if isinstance(stored, Mapping) else {}
        return {
            key: _filled(
                value, old.get(key, _ABSENT), f"{path}.{key}", hidden or is_secret_name(key),
                problems,
            )
            for key, value in sent.items()
        }  # fmt: skip
    if isinstance(sent, list):
        before = stored if isinstance(stored, list) else []
        return [
            _filled(
                value, before[i] if i < len(before) else _ABSENT, f"{path}.{i}", hidden, problems
            )
            for i, value in enumerate(sent)
        ]
    if not hidden or not _looks_masked(sent):
        return sent
    if stored is _ABSENT or isinstance(stored, Mapping | list) or mask(stored) != sent:
        problems.append(Detail(path[:200], "is a mask of no stored value"))
        return sent
    return stored


def _looks_masked(value: Any) -> bool:
    return (
        isinstance(value, str)
        and value.startswith(_STARS)
        and len(value) in (len(_STARS), len(_STARS) + _SHOWN)
    )
