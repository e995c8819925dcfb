"""One contract over both stores of profile and settings (USR-1 to USR-3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tidegate.identity.public import Names
from tidegate.profile.repository import DynamoUserDocuments, Rename, UserDocument, UserDocuments
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import UserScope

from tests.builders.members import sign_in
from tests.fakes.profile import MemoryUserDocuments, NameDirectory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
MakeStore = Callable[[], UserDocuments]


@pytest.fixture(params=["memory", "dynamo"])
def member(request: pytest.FixtureRequest) -> MakeStore:
    """Makes the store of a new member."""
    if request.param == "memory":
        directory = NameDirectory()

        def make() -> UserDocuments:
            user_id = new_id()
            email = f"{user_id}@example.com"
            directory.members[user_id] = Names(email, None, "Ada", "Example", "Example")
            return MemoryUserDocuments(directory, user_id)

        return make
    request.getfixturevalue("platform")

    def stored() -> UserDocuments:
        found = sign_in()
        return DynamoUserDocuments(UserScope(found.tenant_id, found.user_id))

    return stored


def renamed(store: UserDocuments, username: str) -> Rename:
    names = store.names()
    return Rename(names, replace(names, username=username))


def test_nothing_stored_is_an_empty_document(member: MakeStore) -> None:
    """USR-1: nothing stored is no error."""
    store = member()
    assert store.read("PROFILE") == store.read("SETTINGS") == UserDocument({})
    assert store.names().username is None


def test_a_document_replaces_the_one_that_was_read(member: MakeStore) -> None:
    """USR-2, USR-3: what was written is read at once, and only over what was read."""
    store = member()
    first = store.write("PROFILE", store.read("PROFILE"), {"bio": "a"}, NOW)
    assert store.read("PROFILE") == first == UserDocument({"bio": "a"}, NOW, NOW)
    second = store.write("PROFILE", first, {"bio": "b"}, LATER)
    assert (second.created_at, second.updated_at) == (NOW, LATER)
    for stale in (UserDocument({}), first):
        with pytest.raises(ConditionFailed) as caught:
            store.write("PROFILE", stale, {"bio": "c"}, LATER)
        assert caught.value.names == {"document"}
    assert store.read("PROFILE").values == {"bio": "b"}
    assert store.read("SETTINGS") == UserDocument({})


def test_names_and_document_change_together_or_not_at_all(member: MakeStore) -> None:
    one, two = member(), member()
    one.write("PROFILE", one.read("PROFILE"), {"bio": "a"}, NOW, renamed(one, "Ada"))
    assert one.names().username == "Ada"
    with pytest.raises(ConditionFailed) as caught:
        two.write("PROFILE", two.read("PROFILE"), {"bio": "b"}, NOW, renamed(two, "aDA"))
    assert "username" in caught.value.names
    assert (two.read("PROFILE"), two.names().username) == (UserDocument({}), None)
    # A name that is given up is free.
    one.write("PROFILE", one.read("PROFILE"), {}, LATER, renamed(one, "eva"))
    two.write("PROFILE", two.read("PROFILE"), {}, LATER, renamed(two, "ada"))
    assert (one.names().username, two.names().username) == ("eva", "ada")


def test_names_that_changed_meanwhile_are_not_overwritten(member: MakeStore) -> None:
    store = member()
    stale = renamed(store, "first")
    store.write("PROFILE", store.read("PROFILE"), {}, NOW, renamed(store, "second"))
    with pytest.raises(ConditionFailed) as caught:
        store.write("PROFILE", store.read("PROFILE"), {"bio": "x"}, LATER, stale)
    assert "names" in caught.value.names
    assert (store.names().username, store.read("PROFILE").values) == ("second", {})


def test_nobody_has_no_names(member: MakeStore) -> None:
    store = member()
    nobody: UserDocuments = (
        MemoryUserDocuments(NameDirectory(), new_id())
        if isinstance(store, MemoryUserDocuments)
        else DynamoUserDocuments(UserScope(new_id(), new_id()))
    )
    with pytest.raises(NotFound):
        nobody.names()
