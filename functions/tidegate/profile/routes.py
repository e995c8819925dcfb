"""GET, PUT /v1/profile and /v1/settings."""

from __future__ import annotations

from tidegate_kit.http import CurrentCall, Router

from tidegate.profile.errors import UsernameTaken
from tidegate.profile.schemas import Profile, ProfileChange, SettingsChange, UserSettings
from tidegate.profile.service import ProfileService
from tidegate.profile.wiring import service_for

router = Router("profile")


@router.get("/v1/profile", permission="profile:read")
def get_profile(call: CurrentCall) -> Profile:
    """The caller's profile; defaults where nothing is stored (USR-1)."""
    return _profile(service_for(call), call.principal.user_id)


@router.put("/v1/profile", permission="profile:write", errors=[UsernameTaken])
def put_profile(body: ProfileChange, call: CurrentCall) -> Profile:  # type: ignore[valid-type]
    """Change the keys sent; null resets to the default (USR-2)."""
    service = service_for(call)
    service.change_profile(body.model_dump(exclude_unset=True))  # type: ignore[attr-defined]
    return _profile(service, call.principal.user_id)


@router.get("/v1/settings", permission="profile:read")
def get_settings(call: CurrentCall) -> UserSettings:
    """The caller's settings; defaults where nothing is stored (USR-1)."""
    return _settings(service_for(call))


@router.put("/v1/settings", permission="profile:write")
def put_settings(body: SettingsChange, call: CurrentCall) -> UserSettings:  # type: ignore[valid-type]
    """Change the keys sent; null resets to the default (USR-2)."""
    service = service_for(call)
    service.change_settings(body.model_dump(exclude_unset=True))  # type: ignore[attr-defined]
    return _settings(service)


def _profile(service: ProfileService, user_id: str) -> Profile:
    names, own, document = service.profile()
    return Profile(
        user_id=user_id,
        email=names.email,
        username=names.username,
        first_name=names.first_name,
        last_name=names.last_name,
        company=names.company,
        created_at=document.created_at,
        updated_at=document.updated_at,
        **own.model_dump(),
    )


def _settings(service: ProfileService) -> UserSettings:
    values, document = service.settings()
    return UserSettings(updated_at=document.updated_at, **values)
