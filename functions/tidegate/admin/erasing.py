"""Builds what erases, for the task alone: it knows nothing of HTTP."""

from __future__ import annotations

from functools import cache

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.observability import identify
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.admin.objects import S3Objects
from tidegate.admin.repository.tables import GlobalTables
from tidegate.admin.service.erasure import Erasing, Step
from tidegate.admin.settings import ErasureSettings
from tidegate.onboarding import public as onboarding
from tidegate.realtime import public as realtime
from tidegate.workflows.public import erasure as workflows


def start() -> Erasing:
    """The worker of this process. Raises SettingsError naming what is missing."""
    return _worker(settings_of(ErasureSettings))


@cache
def _worker(settings: ErasureSettings) -> Erasing:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "admin")

    callback = settings.ws_callback_url

    def disconnect(scope: TenantScope) -> None:
        # Frees the AWS accounts, so that another tenant may connect them at once.
        onboarding.forget_tenant(settings, scope, actor="erasure", clock=system_clock)

    steps = [
        Step("workflows", lambda scope: workflows.forget_tenant(scope, system_clock)),
        Step("sockets", lambda scope: realtime.forget_tenant(settings, callback, scope)),
        Step("accounts", disconnect),
    ]
    s3 = platform_client("s3", settings.aws_region)
    return Erasing(GlobalTables(), S3Objects(s3, settings.data_bucket), steps)
