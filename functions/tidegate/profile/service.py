"""Reading and changing a profile and settings (USR-1 to USR-3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed

from tidegate.identity.public import USERNAME_TAKEN, Names
from tidegate.profile.errors import ChangedMeanwhile, UsernameTaken
from tidegate.profile.fields import OwnProfile, OwnSettings, changed
from tidegate.profile.repository import Kind, Rename, UserDocument, UserDocuments

_NAME_FIELDS = ("username", "first_name", "last_name")
_ATTEMPTS = 4


class ProfileService:
    """The caller's own record."""

    def __init__(self, documents: UserDocuments, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def profile(self) -> tuple[Names, OwnProfile, UserDocument]:
        """Names, own fields with defaults (USR-1), and when they were written."""
        document = self._documents.read("PROFILE")
        return (
            self._documents.names(),
            OwnProfile(**changed(OwnProfile, document.values, {})),
            document,
        )

    def settings(self) -> tuple[dict[str, Any], UserDocument]:
        """Every setting with its default."""
        document = self._documents.read("SETTINGS")
        return OwnSettings(**changed(OwnSettings, document.values, {})).model_dump(), document

    def change_profile(self, sent: Mapping[str, Any]) -> None:
        """Apply a PUT. Raises UsernameTaken or ChangedMeanwhile; writes all or nothing."""
        own = {name: value for name, value in sent.items() if name not in _NAME_FIELDS}
        named = {name: value for name, value in sent.items() if name in _NAME_FIELDS}

        def attempt() -> None:
            names = self._documents.names()
            self._write("PROFILE", OwnProfile, own, Rename(names, renamed(names, named)))

        _retried(attempt)

    def change_settings(self, sent: Mapping[str, Any]) -> None:
        """Apply a PUT. Raises ChangedMeanwhile."""
        _retried(lambda: self._write("SETTINGS", OwnSettings, dict(sent), None))

    def _write(self, kind: Kind, model: Any, sent: dict[str, Any], rename: Rename | None) -> None:
        old = self._documents.read(kind)
        self._documents.write(kind, old, changed(model, old.values, sent), self._clock(), rename)


def renamed(names: Names, sent: Mapping[str, Any]) -> Names:
    """Names after a PUT: null removes the username and leaves the others, which have no default."""
    new = replace(names, username=sent["username"]) if "username" in sent else names
    kept = {name: sent[name] for name in ("first_name", "last_name") if sent.get(name)}
    return replace(new, **kept)


def _retried(attempt: Callable[[], None]) -> None:
    """Read, change and write again when another writer was faster; never for a taken name."""
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except ConditionFailed as lost:
            if USERNAME_TAKEN in lost.names:
                raise UsernameTaken from lost
    raise ChangedMeanwhile
