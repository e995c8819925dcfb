"""GET /admin/health tells of every table."""

from __future__ import annotations

from pathlib import Path

from tidegate.admin.overview import TABLES

from tests.fakes.tables import load_tables

ROOT = Path(__file__).resolve().parents[3]


def test_every_table_of_the_template_is_proved() -> None:
    names = {spec.name for spec in load_tables(ROOT / "template.yaml", {"Stage": "x"})}
    assert {f"tidegate-x-{name}" for name in TABLES} == names
