"""Errors of the admin domain."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, Detail, Unprocessable


class ConfigChanged(Conflict):
    message = "The configuration was changed by someone else at this moment. Try again."


class SettingUnusable(Unprocessable):
    """A value of the run-time configuration that cannot be used."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(details=[Detail(field, message)])


class TenantUnknown(Unprocessable):
    """A user is to join a tenant that is not there."""

    def __init__(self) -> None:
        super().__init__(details=[Detail("tenant_id", "is not a tenant")])
