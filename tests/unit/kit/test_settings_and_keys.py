"""Settings without defaults, tenant keys, ids, times, logs (H12, B11, B12)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError
from tidegate_kit.clock import FixedClock, epoch, from_epoch, iso
from tidegate_kit.errors import NotFound
from tidegate_kit.http import RequestModel, Text
from tidegate_kit.http.schema import Line
from tidegate_kit.ids import is_id, new_id, new_secret
from tidegate_kit.settings import Settings, SettingsError, read_settings
from tidegate_kit.tenancy import TenantScope, UserScope, key

from tests.builders.settings import ENVIRONMENT

REQUIRED = [
    "TIDEGATE_ENV", "TIDEGATE_STAGE", "TIDEGATE_VERSION", "AWS_REGION", "TABLE_PREFIX",
    "TABLE_ARN_PREFIX", "PUBLIC_BASE_URL", "WS_URL", "JWT_ISSUER", "SIGNING_KEY_REF",
    "KMS_KEY_ARN", "CORS_ORIGINS", "ONBOARDING_ROLE_ARN", "CALLBACK_TOPIC_ARN",
]  # fmt: skip


@pytest.mark.hazard("H12")
@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_stops_the_start_by_name(name: str) -> None:
    """H12: each required setting, missing or empty, is named; no value is shown, none assumed."""
    without = {key: value for key, value in ENVIRONMENT.items() if key != name}
    for environment in (without, {**without, name: ""}):
        with pytest.raises(SettingsError) as stopped:
            read_settings(Settings, environment)
        assert name in str(stopped.value)
        assert not any(value in str(stopped.value) for value in without.values() if len(value) > 9)


@pytest.mark.hazard("H12")
def test_no_setting_that_places_data_has_a_default() -> None:
    """H12: every default is None, False or a header's name."""
    defaults = {
        name.upper(): field.default
        for name, field in Settings.model_fields.items()
        if not field.is_required()
    }
    assert set(defaults).isdisjoint(REQUIRED)
    assert set(REQUIRED) == {n.upper() for n, f in Settings.model_fields.items() if f.is_required()}
    assert {value for value in defaults.values() if value} == {"X-Halext-Code"}


@pytest.mark.hazard("H12")
def test_all_missing_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """H12: the process environment is the source; one message names everything that is wrong."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert read_settings(Settings).table_prefix == ENVIRONMENT["TABLE_PREFIX"]
    monkeypatch.delenv("TABLE_PREFIX")
    monkeypatch.delenv("KMS_KEY_ARN")
    monkeypatch.setenv("TIDEGATE_ENV", "prod")
    with pytest.raises(SettingsError) as stopped:
        read_settings(Settings)
    assert "missing setting(s): KMS_KEY_ARN, TABLE_PREFIX" in str(stopped.value)
    assert "unusable setting(s): TIDEGATE_ENV" in str(stopped.value)


def test_settings_are_read_as_documented() -> None:
    built = read_settings(
        Settings,
        {**ENVIRONMENT, "CORS_ORIGINS": " https://a.example/ , ,https://b.example",
         "ACCESS_CODE": "", "PUBLIC_BASE_URL": "https://api.example.com/"},
    )  # fmt: skip
    assert built.cors_origin_list == ("https://a.example", "https://b.example")
    assert built.access_code is None
    assert built.public_base_url == "https://api.example.com"
    assert built.platform_account == "123456789012"


@pytest.mark.hazard("B12")
@pytest.mark.bite("tidegate_kit.tenancy._safe", replacement=lambda part: part)
@pytest.mark.parametrize("part", ["", "#", "a#b", "T#other", "x#U#y", "#U#"])
def test_a_key_part_cannot_reach_into_another_key(part: str) -> None:
    """B12: the delimiter or nothing in an id is refused as an absent id would be."""
    for build in (
        lambda: TenantScope(part).pk,
        lambda: UserScope(part, "u").pk,
        lambda: UserScope("t", part).pk,
        lambda: key("WORKFLOW", part),
    ):
        with pytest.raises(NotFound):
            build()
    assert TenantScope("t").user("u").pk == "T#t#U#u"
    assert UserScope("t", "u").tenant.pk == "T#t"


@pytest.mark.hazard("B11")
@pytest.mark.bite("tidegate_kit.ids.uuid.uuid4", replacement=uuid.uuid1)
def test_ids_are_random() -> None:
    """B11: ids are version 4 UUIDs (122 random bits), lower case, never repeated."""
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(is_id(text) for text in ids)
    assert len(new_secret()) >= 43
    for text in (ids[0].upper(), ids[0][:-1], "{" + ids[0] + "}", ids[0] + "\n", str(uuid.uuid1())):
        assert not is_id(text)


def test_times_are_utc_with_milliseconds_only_where_needed() -> None:
    moment = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
    assert iso(moment) == "2026-03-29T01:59:59Z"
    assert iso(moment.replace(microsecond=7999)) == "2026-03-29T01:59:59.007Z"
    assert iso(moment.replace(microsecond=999)) == "2026-03-29T01:59:59Z"
    east = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert iso(east) == iso(moment)
    assert from_epoch(epoch(moment)) == moment
    clock = FixedClock(moment)
    assert clock.advance(hours=1) == clock() == moment + timedelta(hours=1)


class Words(RequestModel):
    """Text fields."""

    text: Text = "x"
    line: Line = "x"


def test_text_is_trimmed_and_holds_no_controls() -> None:
    assert Words(text="  a\n\tb  ", line=" a ").model_dump() == {"text": "a\n\tb", "line": "a"}
    for text in ("\x00", "a\x1b[2J", "\x7f", "\x85", "\u202e", "\u2066", "\ud800"):
        for name in ("text", "line"):
            with pytest.raises(ValidationError):
                Words(**{name: f"a{text}b"})
    for text in ("a\nb", "a\rb"):
        with pytest.raises(ValidationError):
            Words(line=text)
