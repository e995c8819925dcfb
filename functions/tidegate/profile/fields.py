"""Every profile and settings field, declared once with its default (USR-3).

The answers, the requests and the stored items are all derived from these two models.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, create_model
from tidegate_kit.http import Text

TASKS = (
    "executive_assessment",
    "chat",
    "initial_assessment",
    "tool_selection",
    "embeddings",
    "coding",
    "summarization",
    "classification",
    "extraction",
    "translation",
    "email_drafting",
    "message_drafting",
    "calendar_planning",
    "task_planning",
    "workflow_generation",
    "workflow_repair",
    "node_suggestion",
    "finding",
    "remediation",
    "policy",
    "anomaly",
    "forecast",
    "report",
    "reflection",
    "final_response",
    "fast_path",
)
DEFAULT_MODEL = "llama3.2:3b"


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not an IANA time zone")
    return name


def _https(url: str) -> str:
    if (
        not url.startswith("https://")
        or len(url) <= len("https://")
        or any(c.isspace() for c in url)
    ):
        raise ValueError("must be an https URL")
    return url


TimeZone = Annotated[str, AfterValidator(_known_zone)]
HttpsUrl = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_https)]
Locale = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)
]
ModelName = Annotated[
    str, StringConstraints(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._:/-]+$")
]


class OwnProfile(BaseModel):
    """Profile fields this domain stores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    display_name: Annotated[Text, StringConstraints(max_length=200)] = ""
    bio: Annotated[Text, StringConstraints(max_length=2000)] = ""
    avatar_url: HttpsUrl | None = None
    time_zone: TimeZone = "UTC"
    locale: Locale = "en"


class _BaseSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: Literal["dark", "light", "system"] = "dark"
    time_zone: TimeZone = "UTC"
    default_page_size: Annotated[int, Field(ge=1, le=100)] = 10
    notify_email: bool = True


_models: dict[str, Any] = {f"{task}_model": (ModelName, DEFAULT_MODEL) for task in TASKS}
OwnSettings: type[BaseModel] = create_model("OwnSettings", __base__=_BaseSettings, **_models)


def optional_of(name: str, model: type[BaseModel], **extra: Any) -> type[BaseModel]:
    """A request model in which every field of `model` may be sent, or sent as null (USR-2)."""
    fields: dict[str, Any] = {
        field: (_annotated(info) | None, None) for field, info in model.model_fields.items()
    }
    config = ConfigDict(extra="forbid", strict=True, frozen=True)
    return create_model(name, __config__=config, **fields, **extra)


def _annotated(info: Any) -> Any:
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def changed(model: type[BaseModel], stored: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """The stored values after a PUT: sent keys replace, null resets to the default (USR-2)."""
    kept = {name: value for name, value in stored.items() if name in model.model_fields}
    for name, value in sent.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return kept
