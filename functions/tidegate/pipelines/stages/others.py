"""findings-refresh, model-retrain, savings-ledger: one call of the domain that does it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tidegate_kit.errors import Conflict
from tidegate_kit.ids import id_from

from tidegate.pipelines.executions import Execution, Problem, Unit
from tidegate.pipelines.service.work import Parts, Waiting, parameter


class Evaluate:
    """Every check over every account; one that cannot be evaluated is a gap."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """One unit."""
        return [Unit("checks")]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Start the evaluation, then wait for its end."""
        refresh_id = id_from(f"pipeline/{execution.id}/refresh")
        if not unit.state.get("started"):
            try:
                parts.findings.refresh(refresh_id, execution.trigger)
            except Conflict as running:
                raise Waiting(unit) from running
            return replace(unit, state={**unit.state, "started": True})
        found = parts.findings.refreshed(refresh_id)
        if found is None or found.running:
            raise Waiting(unit)
        return unit.ended(
            1,
            [
                Problem("NOT_EVALUATED", f"Account {account} could not be evaluated.")
                for account in found.failures
            ],
        )


class Retrain:
    """Runs of the experiments whose models learned from costs."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """One unit."""
        return [Unit("experiments")]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Start the runs, named after this execution."""
        return unit.ended(len(parts.lab.retrain(execution.id)))


class Measure:
    """The savings of a day, yesterday unless asked for another."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """One unit a day."""
        asked = parameter(execution, "day")
        return [Unit(asked or (parts.today - timedelta(days=1)).isoformat())]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Measure the day."""
        return unit.ended(parts.findings.measure_savings(date.fromisoformat(unit.key)))
