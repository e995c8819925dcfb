"""Builds the services of AI."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.budget_store import DynamoBudgetStore, DynamoGlobalReservations
from tidegate_kit.clients import kms_sealer, model_client, platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.ai.catalogue import Catalogue, read_order
from tidegate.ai.domain import InferRequest, ProviderName
from tidegate.ai.errors import UnknownModel
from tidegate.ai.models import AI_BUDGET
from tidegate.ai.providers import ModelProvider
from tidegate.ai.providers.bedrock import BedrockProvider
from tidegate.ai.providers.openai_compatible import OpenAiCompatibleProvider
from tidegate.ai.repository import DynamoAiStore
from tidegate.ai.service.effects import EffectSeal
from tidegate.ai.service.inference import Inference, Parts
from tidegate.ai.settings import AiSettings

_KEY_SECONDS = 300.0  # a rotated key is used from then on


def start_task() -> AiSettings:
    """Settings, log fields and store of a worker function."""
    settings: AiSettings = settings_of(AiSettings)
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "ai")
    return settings


def catalogue() -> Catalogue:
    """The models of this deployment."""
    settings: AiSettings = settings_of(AiSettings)
    return settings.catalogue


def store_of(scope: TenantScope) -> DynamoAiStore:
    """The store of a tenant."""
    return DynamoAiStore(scope)


def budgets_of(tenant_id: str) -> DynamoBudgetStore:
    """The budgets of a tenant."""
    return DynamoBudgetStore(TenantScope(tenant_id), AI_BUDGET)


def reservations() -> DynamoGlobalReservations:
    """Every tenant's open reservations."""
    return DynamoGlobalReservations(AI_BUDGET)


def inference(
    scope: TenantScope, user_id: str, request: InferRequest, clock: Clock = system_clock
) -> Inference:
    """One inference of a user."""
    settings = settings_of(AiSettings)
    parts = Parts(
        store=store_of(scope),
        seal=EffectSeal(scope.tenant_id, kms_sealer(settings)),
        providers=providers(settings),
        catalogue=settings.catalogue,
        default_model=settings.ai_default_model,
        model_of_task=lambda user, task: _model_of_task(scope, user, task),
        clock=clock,
        timer=time.monotonic,
        ids=new_id,
    )
    return Inference(parts, user_id, request)


def _model_of_task(scope: TenantScope, user_id: str, task: str) -> str | None:
    from tidegate.profile import public as profile  # only who names a task pays its import

    return profile.model_of_task(scope.user(user_id), task)


@cache
def providers(settings: AiSettings) -> dict[ProviderName, ModelProvider]:
    """Every provider; those that are not configured say so."""
    return {
        "bedrock": BedrockProvider(lambda left: _bedrock(settings, left)),
        "openai_compatible": OpenAiCompatibleProvider(
            OutboundClient(OutboundPolicy.of(settings)),
            settings.ai_base_url,
            SecretKey(settings),
        ),
    }


def known_providers() -> dict[ProviderName, ModelProvider]:
    """Every provider of this deployment."""
    return providers(settings_of(AiSettings))


def endpoints() -> list[tuple[ProviderName, str]]:
    """(provider, base URL) of each configured provider, in the order in which they are asked."""
    settings: AiSettings = settings_of(AiSettings)
    found: list[tuple[ProviderName, str]] = []
    for name in read_order(settings.ai_providers):
        if name == "bedrock":
            found.append((name, str(_bedrock(settings, 1).meta.endpoint_url)))
        elif settings.ai_base_url:
            found.append((name, settings.ai_base_url))
    return found


def default_model() -> str | None:
    """The name behind the default alias; None where the catalogue lacks it."""
    settings: AiSettings = settings_of(AiSettings)
    try:
        return settings.catalogue.model(settings.ai_default_model).name
    except UnknownModel:
        return None


def _bedrock(settings: AiSettings, left: float) -> Any:
    return model_client(settings.aws_region, max(1, int(left)))


class SecretKey:
    """The key of the OpenAI-compatible server, read when it is first needed, then kept a while."""

    def __init__(self, settings: AiSettings) -> None:
        self._settings = settings
        self._value = ""
        self._until = 0.0

    def __call__(self) -> str:
        """The key; "" where none is configured. Raises ServiceUnavailable."""
        if not self._settings.ai_api_key_ref:
            return ""
        if time.monotonic() >= self._until:
            self._value = self._read()
            self._until = time.monotonic() + _KEY_SECONDS
        return self._value

    def _read(self) -> str:
        client = platform_client("secretsmanager", self._settings.aws_region)
        try:
            answer = client.get_secret_value(SecretId=self._settings.ai_api_key_ref)
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"the models' key: {error}") from error
        return str(answer["SecretString"])
