"""Masks and the rules of a configuration (INT-1, INT-2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tidegate.integrations.domain import configuration_problems
from tidegate.integrations.masking import is_secret_name, mask, masked, unmasked

SMTP: dict[str, Any] = {
    "provider": "smtp", "host": "smtp.example.com", "port": 587, "username": "ada",
    "password": "correct horse", "from_address": "ada@example.com",
}  # fmt: skip


def test_every_secret_name_is_known_in_any_case_and_place() -> None:
    for word in ("password", "secret", "token", "key", "credential", "auth"):
        for name in (word, word.upper(), f"my_{word}_2", f"x{word.title()}"):
            assert is_secret_name(name), name
    assert not is_secret_name("base_url")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("12345678", "***5678"), ("1234567", "***"), ("", "***"), (12345678, "***"), (True, "***")],
)
def test_a_mask_shows_four_characters_of_eight_or_more(value: Any, shown: str) -> None:
    assert mask(value) == shown
    assert masked({"api_key": value}) == {"api_key": shown}


def test_everything_below_a_secret_key_is_masked() -> None:
    given_ = {"credentials": {"user": "ada", "list": ["abcdefgh", 7, None]}, "host": "h"}
    shown = {"credentials": {"user": "***", "list": ["***efgh", "***", None]}, "host": "h"}
    assert masked(given_) == shown


_leaf = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12).filter(lambda text: not text.startswith("***"))
)
_names = st.sampled_from(["host", "api_key", "token", "password", "note", "auth"])
_maps = st.recursive(
    _leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_names, _maps, max_size=4))
def test_sending_the_whole_answer_back_keeps_every_value(stored: dict[str, Any]) -> None:
    assert unmasked(masked(stored), stored) == (stored, [])
    assert unmasked(stored, None) == (stored, [])


@pytest.mark.parametrize("stored", [None, {}, {"api_key": "another-one"}, {"key2": "abcdefgh"}])
def test_a_mask_of_nothing_is_refused_and_never_stored(stored: Any) -> None:
    _, problems = unmasked({"api_key": "***efgh"}, stored)
    assert [problem.field for problem in problems] == ["configuration.api_key"]


@pytest.mark.parametrize(
    ("kind", "configuration"),
    [
        ("email", SMTP),
        ("email", {"provider": "ses"}),
        ("crm", {"base_url": "https://crm.example.com", "api_key": "x", "more": [1]}),
        ("calendar", {"provider": "google"}),
        ("social", {}),
        ("social", {"anything": {"at": "all"}}),
    ],
)
def test_complete_configurations_are_accepted(kind: Any, configuration: dict[str, Any]) -> None:
    assert configuration_problems(kind, configuration) == []
    for name in configuration if kind in ("email", "crm", "calendar") else ():
        rest = {key: value for key, value in configuration.items() if key != name}
        found = [problem.field for problem in configuration_problems(kind, rest)]
        assert (f"configuration.{name}" in found) == (name != "more")


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "other"}, {"host": "a b"}, {"host": "a\nb"}, {"port": 0}, {"port": 65536},
        {"port": "587"}, {"port": True}, {"password": ""}, {"from_address": "ada"},
        {"from_address": "a@b.c\nBcc: x@y.z"},
    ],
)  # fmt: skip
def test_malformed_fields_are_named(change: dict[str, Any]) -> None:
    problems = configuration_problems("email", {**SMTP, **change})
    assert [problem.field for problem in problems] == [f"configuration.{name}" for name in change]


def test_size_and_depth_are_bounded() -> None:
    deep: Any = {}
    for _ in range(17):
        deep = {"a": deep}
    assert configuration_problems("social", deep)
    assert configuration_problems("social", {"a": "x" * (16 * 1024)})
    assert not configuration_problems("social", {"a": "x" * (16 * 1024 - 9)})
