"""One page of a list that is read newest first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def page_of(rows: Iterable[T], skip: int, limit: int) -> tuple[list[T], bool]:
    """Up to `limit` rows after the first `skip`, and whether there are more.

    Reads one row more than it gives, and none beyond.
    """
    found = list(islice(rows, skip, skip + limit + 1))
    return found[:limit], len(found) > limit
