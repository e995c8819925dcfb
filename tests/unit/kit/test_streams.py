"""Consumers of table streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tidegate_kit.streams import follow_each


def record(number: str, **change: Any) -> dict[str, Any]:
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": number, **change}}


def test_every_record_is_followed_and_the_failed_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One that fails is logged and brought again; those behind it are followed all the same."""
    seen: list[str] = []

    def follow(change: Mapping[str, Any]) -> None:
        seen.append(change["SequenceNumber"])
        if change["SequenceNumber"] == "2":
            raise ValueError("unreadable")

    event = {"Records": [record("1"), record("2"), record("3")]}
    answer = follow_each(event, follow, "a change was not followed")
    assert seen == ["1", "2", "3"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert [entry.getMessage() for entry in caplog.records] == ["a change was not followed"]


def test_a_record_without_a_name_fails_the_batch() -> None:
    """It could not be brought again by itself: the whole batch is."""

    def follow(change: Mapping[str, Any]) -> None:
        raise ValueError("unreadable")

    with pytest.raises(KeyError):
        follow_each({"Records": [{"eventName": "INSERT"}]}, follow, "a change was not followed")
