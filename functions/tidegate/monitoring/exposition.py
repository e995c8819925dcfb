"""Prometheus text exposition format 0.0.4 (prometheus.io, "Exposition formats")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.monitoring.service.reports import Totals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    """One line: labels and value."""

    labels: Mapping[str, str]
    value: float


def text(found: Totals, system: Mapping[str, float], identity: Mapping[str, str]) -> str:
    """The numbers of GET /monitoring/metrics, as a scrape."""
    requests, executions, ai = found.requests, found.executions, found.ai
    families = [
        _family("tidegate_info", "gauge", "Which deployment answers.", [Sample(identity, 1)]),
        _outcomes("tidegate_requests_total", "Requests answered.", requests.ok, requests.failed),
        _plain(
            "tidegate_request_duration_seconds_sum", "counter", "Time spent answering.",
            requests.micros / 1e6,
        ),
        _outcomes(
            "tidegate_executions_total", "Executions that ended.", executions.ok, executions.failed
        ),
        _plain(
            "tidegate_execution_duration_seconds_sum", "counter", "Time spent executing.",
            executions.micros / 1e6,
        ),
        _outcomes("tidegate_ai_requests_total", "Inferences.", ai.ok, ai.failed),
        _plain("tidegate_ai_tokens_total", "counter", "Tokens used.", ai.tokens),
        _plain("tidegate_ai_cost_dollars_total", "counter", "Cost in USD.", ai.cost_nanos / 1e9),
        *(
            _plain(f"tidegate_{name}", "gauge", "Of the answering process.", value)
            for name, value in sorted(system.items())
        ),
    ]  # fmt: skip
    return "".join(families)


def _outcomes(name: str, told: str, ok: int, failed: int) -> str:
    samples = [Sample({"outcome": "success"}, ok), Sample({"outcome": "failure"}, failed)]
    return _family(name, "counter", told, samples)


def _plain(name: str, kind: str, told: str, value: float) -> str:
    return _family(name, kind, told, [Sample({}, value)])


def _family(name: str, kind: str, told: str, samples: Sequence[Sample]) -> str:
    lines = [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
    for sample in samples:
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
        lines.append(
            f"{name}{{{labels}}} {_number(sample.value)}"
            if labels
            else f"{name} {_number(sample.value)}"
        )
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
