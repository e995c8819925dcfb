"""Fixtures of every test: an AWS double with the template's tables, settings, no stray network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from tidegate_kit import clients, dynamo
from tidegate_kit import settings as kit_settings
from tidegate_kit.settings import Settings

from tests.builders.members import publish_test_key
from tests.builders.settings import ENVIRONMENT, REGION
from tests.builders.settings import settings as make_settings
from tests.fakes.strict_aws.layer import StrictAws
from tests.fakes.tables import create_tables, load_tables

ROOT = Path(__file__).resolve().parent.parent
pytest_plugins = ["tests.fakes.strict_aws.fixtures", "tests.hazards.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long` (make test LONG=1): the tests marked slow, and more examples of the others."""
    parser.addoption("--long", action="store_true", help="run the tests marked slow too")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the long mode to modules, which read it when they are imported."""
    if config.getoption("--long"):
        os.environ["LONG"] = "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests to the long mode, saying so."""
    if config.getoption("--long"):
        return
    later = pytest.mark.skip(reason="long mode only: make test LONG=1")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(later)


@pytest.fixture(scope="session")
def table_specs() -> object:
    """Every table of template.yaml."""
    return load_tables(ROOT / "template.yaml", {"Stage": "test"})


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings as environment variables, and no cached process state before or after."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    _forget()
    yield
    _forget()


def _forget() -> None:
    kit_settings.settings_of.cache_clear()
    clients.platform_client.cache_clear()
    clients.single_attempt_client.cache_clear()
    clients._sealer.cache_clear()
    dynamo.configure_store(None)


@pytest.fixture
def platform(
    environment: None,
    strict_aws: StrictAws,
    table_specs: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """The strict AWS double with the template's tables, a KMS key and a published signing key."""
    create_tables(boto3.client("dynamodb", region_name=REGION), table_specs)  # type: ignore[arg-type]
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
    monkeypatch.setenv("KMS_KEY_ARN", key)
    built = make_settings(Settings, kms_key_arn=key)
    dynamo.configure_store(dynamo.Store(built.table_prefix, built.aws_region))
    publish_test_key()
    return built
