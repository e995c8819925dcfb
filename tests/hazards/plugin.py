"""pytest plugin: counts hazards and bite proofs.

Load with ``pytest_plugins = ["tests.hazards.plugin"]``.  At the end it prints
``hazards covered/208, bites red/feasible`` and the missing ids; ``--hazards-complete`` fails
the run when an id is missing.  A hazard is covered when a test with its id passed in this
run and none failed.  Ids of ``WITHOUT_FEATURE`` are named with their reason and never counted
as covered.  Results are summed on the controller under pytest-xdist.

A fault enumeration (tests/fakes/faults.py) that violates an invariant fails the run, also when
its test swallowed the assertion; those of bites are meant to be violated and are not counted.

Tests may also report figures: ``record_property("tally", "fidelity")`` makes the summary
print ``fidelity passed/total``.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.bites import BITES, WITHOUT_FEATURE, Bite, Probe, applied, from_mark
from tests.hazards.catalogue import compress, ids_in, load_catalogue

HAZARD, BITE, TALLY = "hazard", "hazard-bite", "tally"
_PRODUCT = ("functions", "layers", "infra")
_bite_key = pytest.StashKey[Bite]()
_probe_key = pytest.StashKey[Probe]()
_score_key: pytest.StashKey[Score] = pytest.StashKey()


class Score:
    """What was proved in this run."""

    def __init__(self, catalogue: dict[str, str]) -> None:
        self.catalogue = catalogue
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.bites: dict[tuple[str, str], bool] = {}
        self.tallies: dict[str, dict[str, bool]] = defaultdict(dict)
        self.faults = [0, 0, 0]

    @property
    def covered(self) -> set[str]:
        """Ids with a passed test and no failed one."""
        return self.passed - self.failed

    @property
    def without_feature(self) -> list[str]:
        """Ids of the catalogue that attack what the product does not have."""
        return [
            identifier
            for identifier in self.catalogue
            if identifier in WITHOUT_FEATURE and identifier not in self.covered
        ]

    @property
    def missing(self) -> list[str]:
        """Ids of the catalogue that are neither covered nor without a feature."""
        done = self.covered.union(self.without_feature)
        return [identifier for identifier in self.catalogue if identifier not in done]

    @property
    def undeclared(self) -> list[str]:
        """Covered ids with neither a bite nor a reason."""
        bitten = {identifier for identifier, _ in self.bites}
        return sorted(self.covered - bitten - set(BITES))

    def add(self, report: pytest.TestReport) -> None:
        """Counts one phase of one test."""
        properties = [(str(name), value) for name, value in report.user_properties]
        ids = [str(value) for name, value in properties if name == HAZARD]
        bitten = [str(value) for name, value in properties if name == BITE]
        if bitten:
            red = report.passed
            if report.when == "call" or not red:
                for key in ((identifier, bitten[0]) for identifier in ids):
                    self.bites[key] = self.bites.get(key, True) and red
            return
        if report.failed:
            self.failed.update(ids)
        elif report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.passed.update(ids)
        for name, value in properties:
            if name == TALLY and report.when == "call":
                self.tallies[str(value)][report.nodeid] = report.passed

    def lines(self) -> list[str]:
        """The summary."""
        red = sum(self.bites.values())
        absent = f", {len(self.without_feature)} without a feature" if self.without_feature else ""
        lines = [
            f"hazards {len(self.covered)}/{len(self.catalogue)}{absent}, "
            f"bites {red}/{len(self.bites)}"
        ]
        lines += [f"no feature to attack: {i}: {WITHOUT_FEATURE[i]}" for i in self.without_feature]
        if self.missing:
            lines.append(f"missing: {compress(self.missing)}")
        green = sorted(f"{i} {target}" for (i, target), is_red in self.bites.items() if not is_red)
        lines += [f"no bite: {line}" for line in green]
        if self.undeclared:
            lines.append(f"neither bite nor reason: {compress(self.undeclared)}")
        if self.faults[0]:
            flows, cases, violated = self.faults
            lines.append(f"faults {cases} cases of {flows} flows, {violated} violated")
        for name, results in sorted(self.tallies.items()):
            lines.append(f"{name} {sum(results.values())}/{len(results)}")
        return lines


# ------------------------------------------------------------------ set-up


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the hazard suite."""
    group = parser.getgroup("hazards")
    group.addoption(
        "--hazards-complete", action="store_true", help="fail when a hazard is not covered"
    )
    group.addoption("--no-bites", action="store_true", help="leave the bite proofs out")
    group.addoption(
        "--hazards-table", action="store_true", help="print the bites of every hazard and stop"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the markers and reads the catalogue."""
    config.addinivalue_line("markers", "hazard(*ids): hazards of the catalogue this test proves")
    config.addinivalue_line(
        "markers",
        "bite(target, replacement | returns=..., cases=..., when=...): switched off, it is red",
    )
    score = config.stash[_score_key] = Score(load_catalogue())
    counter = WorkerReporter() if _is_worker(config) else Scorer(score)
    config.pluginmanager.register(counter, "hazard-counter")


# -------------------------------------------------------------- collection


def hazard_ids(item: pytest.Item) -> list[str]:
    """The ids an item proves; raises ValueError when the marker is used wrongly."""
    catalogue = item.config.stash[_score_key].catalogue
    found: list[str] = []
    case = getattr(getattr(item, "callspec", None), "id", "")
    for mark in item.iter_markers("hazard"):
        ids = [str(argument) for argument in mark.args]
        unknown = [identifier for identifier in ids if identifier not in catalogue]
        if unknown or not ids:
            raise ValueError(f"hazard {', '.join(unknown) or '()'} is not in the catalogue")
        if len(ids) > 1:
            tokens = re.findall(r"\b[A-H]\d+\b", case)
            ids = [identifier for identifier in ids if identifier in tokens]
            if len(ids) != 1:
                raise ValueError(
                    "several hazard ids need one parametrised case per id, with the id in the "
                    f"case's id (this case: {case!r})"
                )
        found += [identifier for identifier in ids if identifier not in found]
    if found:
        function = getattr(item, "function", None)
        docstring = (getattr(function, "__doc__", None) or "").strip()
        named = ids_in(docstring.split("\n", 1)[0])
        absent = [identifier for identifier in found if identifier not in named]
        if absent:
            raise ValueError(f"the docstring's first line does not name {', '.join(absent)}")
    return found


def _declared(definition: Any) -> list[Bite]:
    bites = [from_mark(mark) for mark in definition.iter_markers("bite")]
    for mark in definition.iter_markers("hazard"):
        for identifier in mark.args:
            listed = BITES.get(identifier)
            bites += listed if isinstance(listed, list) else []
    unique: dict[tuple[str, str], Bite] = {}
    for bite in bites:
        unique.setdefault((bite.target, repr(bite)), bite)
    return list(unique.values())


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Collects a test with bites once more for each of them."""
    bites = _declared(metafunc.definition)
    if not bites or metafunc.config.getoption("--no-bites"):
        return
    targets = [bite.target for bite in bites]
    ids = [
        f"bite:{bite.target}" + (f":{number}" if targets.count(bite.target) > 1 else "")
        for number, bite in enumerate(bites)
    ]
    metafunc.parametrize(
        "_hazard_bite",
        [None, *bites],
        ids=[pytest.HIDDEN_PARAM, *ids],
        indirect=True,
    )


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> Generator[None, Any, Any]:
    """Checks the marker of every test and tags it with its ids."""
    try:
        made = yield
    except TypeError as error:
        raise collector.CollectError(f"{name}: {error}") from error
    if not isinstance(made, list):
        return made
    kept = []
    for item in made:
        if not isinstance(item, pytest.Function):
            kept.append(item)
            continue
        try:
            ids = hazard_ids(item)
        except ValueError as error:
            raise collector.CollectError(f"{item.nodeid}: {error}") from error
        bite = _bite_of(item)
        if bite is not None:
            if not ids:
                raise collector.CollectError(f"{item.nodeid}: a bite needs a hazard")
            case = item.callspec.id.split("bite:", 1)[0]
            if not bite.applies_to(case):
                continue
            item.stash[_bite_key] = bite
            item.user_properties.append((BITE, bite.target))
        item.user_properties += [(HAZARD, identifier) for identifier in ids]
        kept.append(item)
    return kept


def _bite_of(item: pytest.Function) -> Bite | None:
    callspec = getattr(item, "callspec", None)
    bite = callspec.params.get("_hazard_bite") if callspec is not None else None
    return bite if isinstance(bite, Bite) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``--hazards-table`` prints the table instead of running tests."""
    if not config.getoption("--hazards-table"):
        return
    table: dict[str, set[str]] = defaultdict(set)
    for item in items:
        bite = item.stash.get(_bite_key, None)
        for name, value in item.user_properties:
            if name == HAZARD:
                table[str(value)].update({bite.target} if bite else ())
    for identifier in config.stash[_score_key].catalogue:
        listed = BITES.get(identifier)
        reason = f"no switch: {listed}" if isinstance(listed, str) else ""
        print(f"{identifier}: {', '.join(sorted(table[identifier])) or reason or '-'}")
    items.clear()


# --------------------------------------------------------------- execution


@contextlib.contextmanager
def demand_red(bite: Bite, probe: Probe, root: Path) -> Iterator[None]:
    """Demands that its body is red with the defence off, by the test's own assertion."""
    try:
        yield
    except pytest.skip.Exception:
        raise
    except pytest.fail.Exception:
        pass
    except AssertionError as error:
        if _origin(error, root) in _PRODUCT:
            pytest.fail(f"red, but by an assertion of the product itself: {error}")
    except Exception as error:
        pytest.fail(f"red for another reason than an assertion: {error!r}")
    else:
        reached = "" if probe.called else " (the replacement was never called)"
        pytest.fail(f"stays green without {bite.target}{reached}")
    if not probe.called:
        pytest.fail(f"the replacement of {bite.target} was never called")


def _origin(error: BaseException, root: Path) -> str:
    """The top folder of the project in which the error was raised."""
    traceback = error.__traceback__
    place = ""
    while traceback is not None:
        place = traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next
    with contextlib.suppress(ValueError):
        return Path(place).relative_to(root).parts[0]
    return ""


@pytest.fixture(autouse=True)
def _hazard_bite(request: pytest.FixtureRequest) -> Iterator[None]:
    """Carries the bite of a collected repetition; replaces early for ``when="setup"``."""
    bite = getattr(request, "param", None)
    if isinstance(bite, Bite) and bite.when == "setup":
        with applied(bite) as probe:
            request.node.stash[_probe_key] = probe
            yield
    else:
        yield


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Turns the outcome of a bitten test round: red passes, green fails."""
    bite = pyfuncitem.stash.get(_bite_key, None)
    if bite is None:
        return (yield)
    early = pyfuncitem.stash.get(_probe_key, None)
    root = pyfuncitem.config.rootpath
    replaced = contextlib.nullcontext(early) if early else applied(bite)
    with replaced as probe, demand_red(bite, probe, root):
        yield
    return True


# ----------------------------------------------------------------- scoring


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _fault_reports() -> list[Any]:
    reports: list[Any] = getattr(sys.modules.get("tests.fakes.faults"), "REPORTS", [])
    return reports


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Drops the fault reports of a bite, whose flow is broken on purpose."""
    before = len(_fault_reports())
    try:
        return (yield)
    finally:
        if _bite_key in item.stash:
            del _fault_reports()[before:]


def _fault_totals() -> list[int]:
    reports = _fault_reports()
    return [
        len(reports),
        sum(len(report.cases) for report in reports),
        sum(len(report.violations) for report in reports),
    ]


class Scorer:
    """Counts reports on the controller, or in the only process."""

    def __init__(self, score: Score) -> None:
        self.score = score

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts one phase of one test."""
        self.score.add(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Takes over what a worker of pytest-xdist counted."""
        self._add_faults(getattr(node, "workeroutput", {}).get("hazard_faults", [0, 0, 0]))

    def _add_faults(self, totals: Iterable[int]) -> None:
        self.score.faults = [a + b for a, b in zip(self.score.faults, totals, strict=True)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails a run with a violated fault case, and an incomplete one where asked to."""
        self._add_faults(_fault_totals())
        incomplete = session.config.getoption("--hazards-complete") and self.score.missing
        if self.score.faults[2] or incomplete:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Prints the figures."""
        terminalreporter.section("hazards")
        for line in self.score.lines():
            terminalreporter.write_line(line)


class WorkerReporter:
    """Hands a worker's own totals to the controller."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fills the worker's output."""
        config: Any = session.config
        config.workeroutput["hazard_faults"] = _fault_totals()
