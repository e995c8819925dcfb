"""Stored profile and settings values of one user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from tidegate_kit.dynamo import Transaction, batch_get
from tidegate_kit.tenancy import UserScope

from tidegate.identity.public import Names, add_rename, read_names
from tidegate.profile.models import UserDocumentItem

Kind = Literal["PROFILE", "SETTINGS"]


@dataclass(frozen=True)
class UserDocument:
    """Values that differ from the defaults, and when they were written."""

    values: dict[str, Any]
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Rename:
    """Names as read and as they are to be."""

    old: Names
    new: Names


class UserDocuments(Protocol):
    """Documents and names of one user."""

    def names(self) -> Names:
        """The user's names as identity stores them."""

    def read(self, kind: Kind) -> UserDocument:
        """The stored document, empty if there is none; strongly consistent (USR-3)."""

    def write(
        self,
        kind: Kind,
        old: UserDocument,
        values: dict[str, Any],
        now: datetime,
        rename: Rename | None = None,
    ) -> UserDocument:
        """Replace `old` and the names, both or neither.

        Raises ConditionFailed with the name "username" (taken), "names" or "document" (changed
        meanwhile).
        """


class DynamoUserDocuments:
    """UserDocuments on the table `profile`; names in the same transaction on `identity`."""

    def __init__(self, scope: UserScope) -> None:
        self._scope = scope

    def names(self) -> Names:
        return read_names(self._scope)

    def read(self, kind: Kind) -> UserDocument:
        (item,) = batch_get([(UserDocumentItem, self._scope.pk, kind)])
        if item is None:
            return UserDocument({})
        return UserDocument(dict(item.values), item.created_at, item.updated_at)

    def write(
        self,
        kind: Kind,
        old: UserDocument,
        values: dict[str, Any],
        now: datetime,
        rename: Rename | None = None,
    ) -> UserDocument:
        new = UserDocument(values, old.created_at or now, now)
        item = UserDocumentItem(
            self._scope.pk, kind, values=values, created_at=new.created_at, updated_at=now
        )
        unchanged = (
            UserDocumentItem.pk.does_not_exist()
            if old.updated_at is None
            else UserDocumentItem.updated_at == old.updated_at
        )
        writes = Transaction()
        writes.save(item, unchanged, name="document")
        if rename is not None:
            add_rename(writes, self._scope, rename.old, rename.new, now)
        writes.commit()
        return new
