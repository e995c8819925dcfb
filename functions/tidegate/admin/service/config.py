"""The configuration in force, and where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tidegate_kit.auth.permissions import ALL_PERMISSIONS
from tidegate_kit.runtime_config import RuntimeValues
from tidegate_kit.settings import Settings

from tidegate.admin.errors import SettingUnusable

Source = Literal["default", "environment", "runtime"]
RUNTIME = (
    "cross_system_targets", "feature_flags", "legacy_tokens_enabled", "legacy_tokens_until",
)  # fmt: skip
MASK = "***"
# Every name that holds one of these is a secret, whatever it is (INT-1).
_SECRET = ("password", "secret", "token_key", "access_code", "credential", "signing_key")
_NOT_SECRET = frozenset({"access_code_header"})
_MAX_NAME = 64


@dataclass(frozen=True)
class Value:
    """One value in force."""

    name: str
    value: Any
    source: Source
    runtime: bool


def effective(settings: Settings, chosen: RuntimeValues) -> list[Value]:
    """Every setting by name, as it is in force now."""
    found = [_of_settings(settings, name, chosen) for name in type(settings).model_fields]
    known = {one.name for one in found}
    for name in RUNTIME:
        if name not in known:
            found.append(_runtime(name, None, "default", chosen))
    return sorted(found, key=lambda one: one.name)


def _of_settings(settings: Settings, name: str, chosen: RuntimeValues) -> Value:
    value = settings.model_dump()[name]
    source: Source = "environment" if name in settings.model_fields_set else "default"
    if name in RUNTIME:
        return _runtime(name, None if value == "" else value, source, chosen)
    if name not in _NOT_SECRET and any(part in name for part in _SECRET) and value is not None:
        value = MASK
    return Value(name, value, source, runtime=False)


def _runtime(name: str, value: Any, source: Source, chosen: RuntimeValues) -> Value:
    if name in chosen.values:
        return Value(name, chosen.values[name], "runtime", runtime=True)
    if name == "feature_flags" and value is None:
        value = {}
    if name == "cross_system_targets" and isinstance(value, str):
        value = json.loads(value)
    return Value(name, value, source, runtime=True)


def check(changes: Mapping[str, Any]) -> None:
    """Raise SettingUnusable for flags or targets that mean nothing."""
    for name in changes.get("feature_flags") or {}:
        if not name or len(name) > _MAX_NAME:
            raise SettingUnusable("feature_flags", f"names have 1 to {_MAX_NAME} characters")
    for target, permissions in (changes.get("cross_system_targets") or {}).items():
        if not target or len(target) > _MAX_NAME:
            message = f"names have 1 to {_MAX_NAME} characters"
            raise SettingUnusable("cross_system_targets", message)
        if set(permissions) - ALL_PERMISSIONS or any("admin:" in one for one in permissions):
            message = "names a permission that does not exist or is never given away"
            raise SettingUnusable("cross_system_targets", message)
