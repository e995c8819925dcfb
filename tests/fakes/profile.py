"""In-memory twin of the profile repository, with the names that identity keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidegate.identity.public import USERNAME_TAKEN, Names, canonical_username
from tidegate.profile.repository import Kind, Rename, UserDocument
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import NotFound


@dataclass
class NameDirectory:
    """Members' names by user id; usernames are unique whatever their case."""

    members: dict[str, Names] = field(default_factory=dict)

    def holder(self, username: str) -> str | None:
        """Who has a username."""
        wanted = canonical_username(username)
        for user_id, names in self.members.items():
            if names.username is not None and canonical_username(names.username) == wanted:
                return user_id
        return None


class MemoryUserDocuments:
    """Documents and names of one user."""

    def __init__(self, directory: NameDirectory, user_id: str) -> None:
        self._directory = directory
        self._user_id = user_id
        self._stored: dict[Kind, UserDocument] = {}

    def names(self) -> Names:
        found = self._directory.members.get(self._user_id)
        if found is None:
            raise NotFound
        return found

    def read(self, kind: Kind) -> UserDocument:
        return self._stored.get(kind, UserDocument({}))

    def write(
        self,
        kind: Kind,
        old: UserDocument,
        values: dict[str, Any],
        now: datetime,
        rename: Rename | None = None,
    ) -> UserDocument:
        lost = set()
        if self.read(kind).updated_at != old.updated_at:
            lost.add("document")
        if rename is not None and rename.new != rename.old:
            known = self._directory.members.get(self._user_id)
            if known is None or (known.email, known.username) != (
                rename.old.email,
                rename.old.username,
            ):
                lost.add("names")
            taken = rename.new.username and self._directory.holder(rename.new.username)
            if taken and taken != self._user_id:
                lost.add(USERNAME_TAKEN)
        if lost:
            raise ConditionFailed(frozenset(lost))
        new = UserDocument(dict(values), old.created_at or now, now)
        self._stored[kind] = new
        if rename is not None:
            self._directory.members[self._user_id] = rename.new
        return new
