"""Cheap snapshots of moto's tables.

moto copies a whole table for every operation of a transaction, to be able to roll back.  The
stream's records are most of such a copy, they never change once made, and they only grow.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models.table import Table


def snapshot(table: Any, memo: dict[int, Any]) -> Any:
    """A copy of a table whose items are its own and whose stream records are shared."""
    copied = memo[id(table)] = copy.copy(table)
    copied.items = copy.deepcopy(table.items, memo)
    shard = table.stream_shard
    if shard is not None:
        copied.stream_shard = copy.copy(shard)
        copied.stream_shard.table = copied
        copied.stream_shard.items = list(shard.items)
    return copied


@contextlib.contextmanager
def cheap_snapshots() -> Iterator[None]:
    """While it lasts, ``copy.deepcopy`` of a table makes such a snapshot."""
    with patch.object(Table, "__deepcopy__", snapshot, create=True):
        yield
