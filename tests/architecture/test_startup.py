"""Nothing starts on a missing or unusable setting (GEN-5, IMP-9); the template gives them all."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from importlib import import_module

import pytest
from tidegate_kit.http import Router, lambda_app
from tidegate_kit.settings import Settings, SettingsError, read_settings, settings_of

from tests.architecture.deployment import (
    Function,
    defines,
    environment,
    functions,
    global_variables,
    required,
    settings_classes,
    settings_for,
    settings_of_handler,
)

# GEN-5, as the contract lists them.
REQUIRED = (
    "TIDEGATE_ENV", "TIDEGATE_STAGE", "TIDEGATE_VERSION", "AWS_REGION", "TABLE_PREFIX",
    "TABLE_ARN_PREFIX", "PUBLIC_BASE_URL", "WS_URL", "JWT_ISSUER", "SIGNING_KEY_REF", "KMS_KEY_ARN",
    "CORS_ORIGINS", "ONBOARDING_ROLE_ARN", "CALLBACK_TOPIC_ARN",
)  # fmt: skip
GIVEN_BY_LAMBDA = frozenset({"AWS_REGION"})
CLASSES = [Settings, *(kind for kinds in settings_classes().values() for kind in kinds)]


@pytest.fixture
def settled() -> Iterator[None]:
    """No setting is remembered from or for another test; lambda_app's gc switch is undone."""
    settings_of.cache_clear()
    yield
    settings_of.cache_clear()
    gc.enable()


def test_exactly_the_contracted_settings_are_required_of_all() -> None:
    assert sorted(required(Settings)) == sorted(REQUIRED)


def test_every_class_reads_the_complete_environment() -> None:
    for kind in CLASSES:
        read_settings(kind, environment())


@pytest.mark.hazard("H12")
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CLASSES for name in sorted(required(kind))]
)
def test_a_missing_setting_is_named(kind: type[Settings], name: str) -> None:
    """H12: each required setting of each function, missing or empty, is refused by name."""
    values = environment()
    del values[name]
    with pytest.raises(SettingsError, match=rf"missing setting\(s\): {name}\b"):
        read_settings(kind, values)
    with pytest.raises(SettingsError, match=rf"unusable setting\(s\): {name}\b"):
        read_settings(kind, {**values, name: ""})


@pytest.mark.hazard("H12")
@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.bite(
    "tidegate_kit.http.app.settings_of", lambda kind: kind.model_construct(**_DEFAULTS)
)
def test_start_up_stops_and_names_it(
    settled: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """H12: without a setting there is no handler, no default store and no default key (IMP-9)."""
    for variable, value in environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as refused:
        lambda_app(Router("example"))
    assert str(refused.value).startswith(f"missing setting(s): {name}.")
    for value in environment().values():
        if len(value) > 12:
            assert value not in str(refused.value)


# The fallback that must not exist: it starts whatever is missing.
_DEFAULTS = {name.lower(): environment()[name] for name in REQUIRED}


def _http_domains() -> list[str]:
    return sorted({f.domain for f in functions() if f.module.endswith(".handler")})


@pytest.mark.hazard("H12")
@pytest.mark.parametrize("domain", _http_domains())
def test_every_handler_checks_its_own_settings(
    settled: None, monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    """H12: a handler stops on a missing setting of its own domain, not at the first call."""
    own = required(settings_of_handler(domain)) - set(REQUIRED)
    values = environment()
    for name in sorted(own):
        for variable in values:
            monkeypatch.setenv(variable, values[variable])
        monkeypatch.delenv(name)
        settings_of.cache_clear()
        module = f"tidegate.{domain}.handler"
        with pytest.raises(SettingsError, match=name):
            _import_fresh(module, monkeypatch)


def _import_fresh(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, module, raising=False)
    import_module(module)


@pytest.mark.parametrize("function", functions(), ids=lambda function: str(function.name))
def test_every_function_of_the_template_has_its_entry_point(function: Function) -> None:
    assert defines(function.module, function.attribute), f"{function.handler} is not defined"


@pytest.mark.parametrize("function", functions(), ids=lambda function: str(function.name))
def test_the_template_gives_every_setting_of_a_functions_domain(function: Function) -> None:
    given = function.variables | GIVEN_BY_LAMBDA
    missing = [required(kind) - given for kind in settings_for(function)]
    assert set() in missing, missing


def test_globals_give_every_setting_of_gen5() -> None:
    assert set(REQUIRED) - GIVEN_BY_LAMBDA - global_variables() == set()
