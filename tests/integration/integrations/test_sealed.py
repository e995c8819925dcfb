"""Encrypted configurations: what was moved is refused, what an older key sealed still opens."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from tidegate.integrations import public
from tidegate.integrations.models import AccountItem
from tidegate.integrations.service.accounts import Upsert
from tidegate.integrations.wiring import accounts_of, secrets_of
from tidegate_kit.crypto import SealBroken, SealContext
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.settings import REGION


def put(scope: UserScope, account_id: str, token: str) -> None:
    given: dict[str, Any] = {"provider": "twitter", "access_token": token}
    accounts_of(scope).put([Upsert(account_id, "social", given)], lambda index: "")


def token_of(scope: UserScope, account_id: str) -> Any:
    service = accounts_of(scope)
    return service.plain(service.get(account_id))["access_token"]


def sealed_in(scope: UserScope, account_id: str) -> AccountItem:
    return AccountItem.get(scope.pk, f"ACCOUNT#{account_id}")


@pytest.mark.hazard("H31")
@pytest.mark.bite(
    "tidegate.integrations.vault.Vault._context", lambda *_: SealContext("t", "r", "f")
)
def test_a_configuration_opens_only_in_its_own_record(platform: Settings) -> None:
    """H31: ciphertext swapped between tenants, users or records of one user is refused."""
    tenant = new_id()
    own, colleague = UserScope(tenant, new_id()), UserScope(tenant, new_id())
    stranger = UserScope(new_id(), own.user_id)
    put(own, "a", "token-of-a")
    stolen = sealed_in(own, "a").configuration
    for scope, account_id in ((own, "b"), (colleague, "a"), (stranger, "a")):
        put(scope, account_id, "another-token")
        item = sealed_in(scope, account_id)
        item.configuration = stolen
        item.save()
        with pytest.raises(SealBroken):
            token_of(scope, account_id)
    assert token_of(own, "a") == "token-of-a"


@pytest.mark.hazard("H31")
def test_each_changed_character_is_noticed(platform: Settings) -> None:
    """H31: a configuration with any one character of its ciphertext changed does not open."""
    scope = UserScope(new_id(), new_id())
    put(scope, "a", "token-of-a")
    item = sealed_in(scope, "a")
    whole = item.configuration
    body = whole.rindex(".") + 1
    for place in range(body, len(whole) - 1):
        item.configuration = (
            whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :]
        )
        item.save()
        with pytest.raises(SealBroken):
            token_of(scope, "a")


def test_a_rotated_key_opens_what_it_sealed_before(platform: Settings) -> None:
    scope = UserScope(new_id(), new_id())
    put(scope, "old", "sealed-before")
    secrets_of(scope.tenant).put("old", "sealed-before")
    kms = boto3.client("kms", region_name=REGION)
    kms.rotate_key_on_demand(KeyId=platform.kms_key_arn)
    put(scope, "new", "sealed-after")
    assert token_of(scope, "old") == public.secret(scope.tenant, "old") == "sealed-before"
    assert token_of(scope, "new") == "sealed-after"
    # Each record has a data key of its own.
    keys = {sealed_in(scope, name).configuration.split(".")[1] for name in ("old", "new")}
    assert len(keys) == 2


@pytest.mark.hazard("H11")
@pytest.mark.bite(
    "tidegate_kit.crypto.KmsSealer._unwrap",
    lambda sealer, wrapped, context: b"0" * 32,
)
def test_a_disabled_key_is_an_outage_and_never_plain_text(platform: Settings) -> None:
    """H11: while the key is disabled a configuration is neither opened nor stored in the open."""
    scope = UserScope(new_id(), new_id())
    put(scope, "a", "token-of-a")
    sealed = sealed_in(scope, "a").configuration
    kms = boto3.client("kms", region_name=REGION)
    kms.disable_key(KeyId=platform.kms_key_arn.rpartition("/")[2])
    caught: Exception | None = None
    try:
        token_of(scope, "a")
    except Exception as error:
        caught = error
    assert isinstance(caught, ServiceUnavailable)
    with pytest.raises(ServiceUnavailable):
        put(scope, "b", "token-of-b")
    kms.enable_key(KeyId=platform.kms_key_arn.rpartition("/")[2])
    assert sealed_in(scope, "a").configuration == sealed
    assert token_of(scope, "a") == "token-of-a"
