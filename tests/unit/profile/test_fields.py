"""Fields are declared once (USR-3)."""

from __future__ import annotations

from tidegate.profile.fields import TASKS, OwnProfile, OwnSettings, changed
from tidegate.profile.schemas import Profile, ProfileChange, SettingsChange, UserSettings


def test_api_and_stored_schema_hold_the_same_fields() -> None:
    who = {"user_id", "email", "username", "first_name", "last_name", "company"}
    times = {"created_at", "updated_at"}
    assert set(Profile.model_fields) == set(OwnProfile.model_fields) | who | times
    assert set(ProfileChange.model_fields) == (
        set(Profile.model_fields) - times - {"user_id", "email", "company"}
    )
    assert set(UserSettings.model_fields) == set(OwnSettings.model_fields) | {"updated_at"}
    assert set(SettingsChange.model_fields) == set(OwnSettings.model_fields)


def test_there_are_26_model_names_with_one_default() -> None:
    assert len(set(TASKS)) == 26
    defaults = OwnSettings().model_dump()
    assert {defaults[f"{task}_model"] for task in TASKS} == {"llama3.2:3b"}


def test_null_resets_and_undeclared_stored_values_are_dropped() -> None:
    stored = {"bio": "x", "locale": "de", "gone": 1}
    assert changed(OwnProfile, stored, {"bio": None, "time_zone": "Europe/Rome"}) == {
        "locale": "de",
        "time_zone": "Europe/Rome",
    }
