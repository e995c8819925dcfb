"""Builds the identity services on this deployment."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.auth.authenticate import DynamoMemberStore, load_public_keys
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import IdFactory, new_id
from tidegate_kit.observability import identify
from tidegate_kit.runtime_config import read_runtime_config
from tidegate_kit.settings import settings_of

from tidegate.identity.keys import KeyVault
from tidegate.identity.mail import Mailer, NoMailer, SesMailer
from tidegate.identity.repository.accounts import GlobalAccounts
from tidegate.identity.repository.invitations import DynamoInvitations
from tidegate.identity.repository.keys import GlobalSigningKeys
from tidegate.identity.repository.logins import GlobalLogins
from tidegate.identity.repository.members import DynamoMembers
from tidegate.identity.repository.sessions import DynamoSessions
from tidegate.identity.service.access_tokens import AccessTokens
from tidegate.identity.service.bootstrap import Bootstrap
from tidegate.identity.service.credentials import Credentials
from tidegate.identity.service.cross_system import CrossSystem
from tidegate.identity.service.membership import Membership
from tidegate.identity.service.passwords import Passwords
from tidegate.identity.service.recovery import Recovery
from tidegate.identity.service.rotation import KeyRotation
from tidegate.identity.service.sessions import SessionService
from tidegate.identity.settings import IdentitySettings, parse_targets


@dataclass(frozen=True)
class Identity:
    """Every service of the domain, on one clock."""

    credentials: Credentials
    sessions: SessionService
    membership: Membership
    recovery: Recovery
    cross_system: CrossSystem
    access_seconds: int


def identity(clock: Clock = system_clock, ids: IdFactory = new_id) -> Identity:
    """The services of this process. Raises SettingsError naming what is missing."""
    settings = settings_of(IdentitySettings)
    secret = secrets.token_bytes
    accounts, logins = GlobalAccounts(), GlobalLogins()
    passwords = Passwords(settings.legacy_bcrypt_cost)
    vault = _vault(settings)
    tokens = AccessTokens(
        lambda: vault.signer(clock), settings.jwt_issuer, settings.access_token_seconds, clock, ids
    )
    credentials = Credentials(accounts, DynamoInvitations, logins, passwords, clock, ids, secret)
    return Identity(
        credentials=credentials,
        sessions=SessionService(
            DynamoSessions, DynamoMembers, DynamoMemberStore(), tokens, clock, ids, secret
        ),
        membership=Membership(DynamoMembers, DynamoInvitations, accounts, clock, ids, secret),
        recovery=Recovery(
            credentials, accounts, DynamoMembers, logins, passwords, clock, ids, secret
        ),
        cross_system=CrossSystem(lambda: _targets(settings), tokens, clock),
        access_seconds=tokens.seconds,
    )


def _targets(settings: IdentitySettings) -> dict[str, frozenset[str]]:
    """What an administrator has set, else what was deployed (AUTH-14)."""
    chosen = read_runtime_config().get("cross_system_targets", None)
    return settings.targets if chosen is None else parse_targets(json.dumps(chosen))


def key_rotation(clock: Clock = system_clock) -> KeyRotation:
    """The rotation on this deployment's secret and table."""
    settings = settings_of(IdentitySettings)
    return KeyRotation(_secret(settings), GlobalSigningKeys(), settings.tidegate_stage, clock)


def bootstrap(clock: Clock = system_clock) -> Bootstrap:
    """What making the first admin needs."""
    return Bootstrap(GlobalAccounts(), identity(clock).credentials)


def mailer() -> Mailer:
    """SES where a sender is configured, else one that only logs."""
    settings = settings_of(IdentitySettings)
    if settings.mail_from is None:
        return NoMailer()
    return SesMailer(platform_client("sesv2", settings.aws_region), settings.mail_from)


def start_task() -> IdentitySettings:
    """What a function without HTTP needs before its first read; once per process."""
    settings: IdentitySettings = settings_of(IdentitySettings)
    _configure(settings)
    return settings


@cache
def _configure(settings: IdentitySettings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "identity")


@cache
def _vault(settings: IdentitySettings) -> KeyVault:
    return KeyVault(_secret(settings).read, load_public_keys, settings.tidegate_stage)


def _secret(settings: IdentitySettings) -> SecretsManagerRing:
    client = platform_client("secretsmanager", settings.aws_region)
    return SecretsManagerRing(client, settings.signing_key_ref)


class SecretsManagerRing:
    """RingSecret in Secrets Manager. `client` is a boto3 secretsmanager client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def read(self) -> str:
        try:
            return str(self._client.get_secret_value(SecretId=self._name)["SecretString"])
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"secretsmanager: {error}") from error

    def write(self, text: str) -> None:
        try:
            self._client.put_secret_value(SecretId=self._name, SecretString=text)
        except (ClientError, BotoCoreError) as error:
            # The request held the keys, so the error's own text stays out of the log.
            raise ServiceUnavailable(log=f"secretsmanager: {type(error).__name__}") from None
