"""The pytest fixtures of the strict double.

In a conftest: ``pytest_plugins = ["tests.fakes.strict_aws.fixtures"]``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.strict_aws import layer


@pytest.fixture
def strict_aws() -> Iterator[layer.StrictAws]:
    """A fresh strict double."""
    with layer.strict_aws() as strict:
        yield strict


@pytest.fixture
def executing_aws() -> Iterator[layer.StrictAws]:
    """A fresh strict double that also runs state machines in this process."""
    with layer.strict_aws(execute_state_machines=True) as strict:
        yield strict
