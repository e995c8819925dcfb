"""Records what `histories.WANTED` names and the folder lacks; not collected by itself."""

from __future__ import annotations

import json

import pytest
from tidegate.workflows import wiring
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders import histories
from tests.builders.members import sign_in
from tests.builders.workflows import ENVIRONMENT, install_engine, make_bucket


@pytest.mark.parametrize("name", sorted(set(histories.WANTED) - set(histories.NAMES)))
def test_record(platform: Settings, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    make_bucket()
    engine = install_engine(monkeypatch)
    definition, given = histories.WANTED[name]
    member = sign_in()
    services = wiring.services_of(TenantScope(member.tenant_id), member.user_id)
    recorded = {"definition": definition, "input": given}
    ended = histories.run(engine, services, recorded, member.user_id)
    (machine,) = engine.machines.values()
    text = json.dumps({**recorded, "machine": machine, "ended": ended}, indent=1, sort_keys=True)
    (histories.FOLDER / f"{name}.json").write_text(text + "\n")
