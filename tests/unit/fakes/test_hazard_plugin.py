"""The hazard plugin: what counts, what is refused, and when a bite is red."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hazards import plugin
from tests.hazards.catalogue import compress, ids_in, load_catalogue

ROOT = Path(plugin.__file__).parents[2]
pytest_plugins = ["pytester"]

PRODUCT = """
class Refused(Exception):
    pass

def check(token):
    if token != "good":
        raise Refused

def login(token):
    check(token)
    return "in"

class Rules:
    limit = 3
    @property
    def strict(self): return True
    @staticmethod
    def allowed(n): return n < 3

def asserting(n):
    assert n < 3
    return n
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    folder = pytester.mkdir("functions")
    (folder / "shop.py").write_text(PRODUCT)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def run(
    project: pytest.Pytester, body: str, *arguments: str, subprocess: bool = False
) -> pytest.RunResult:
    header = "import pytest\nimport shop\n"
    project.makepyfile(test_it=header + body)
    options = ["-p", "tests.hazards.plugin", *arguments]
    if subprocess:
        return project.runpytest_subprocess(*options)
    return project.runpytest_inprocess(*options)


REFUSES = '''
@pytest.mark.hazard("A1")
@pytest.mark.bite("shop.check", returns=None)
def test_refuses():
    """A1: a bad token is refused."""
    with pytest.raises(shop.Refused):
        shop.login("bad")
'''


def test_a_passed_test_covers_and_its_bite_is_red(project: pytest.Pytester) -> None:
    result = run(project, REFUSES, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*::test_refuses PASSED*",
            "*::test_refuses?bite:shop.check? PASSED*",
            "hazards 1/208, 2 without a feature, bites 1/1",
            "missing: A2-A29 B1-B24 C1-C20 D1-D11 D13-D18 E1-E30 F1-F22 G1-G30 G32-G34 H1-H31",
        ]
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("assert True", "*stays green without shop.check (the replacement was never called)*"),
        ("shop.login('good')", "*stays green without shop.check"),
        ("assert shop.check is before", "*the replacement of shop.check was never called*"),
        ("_ = shop.asserting(2 if shop.check is before else 9)", "*assertion of the product*"),
    ],
)  # fmt: skip
def test_a_bite_that_is_not_red_fails(project: pytest.Pytester, body: str, message: str) -> None:
    result = run(
        project,
        f'''
before = shop.check
@pytest.mark.hazard("A1")
@pytest.mark.bite("shop.check", lambda token: None)
def test_it():
    """A1: something."""
    {body}
''',
    )
    assert result.ret != 0
    result.stdout.fnmatch_lines([message, "hazards */208*bites 0/1", "no bite: A1 shop.check"])


def test_an_error_is_not_red(project: pytest.Pytester) -> None:
    result = run(
        project,
        '''
@pytest.mark.hazard("A1")
@pytest.mark.bite("shop.check", lambda token: {}["missing"])
def test_it():
    """A1: something."""
    try:
        shop.login("bad")
    except shop.Refused:
        pass
''',
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*red for another reason than an assertion: KeyError*"])


def test_properties_static_methods_values_and_setup(project: pytest.Pytester) -> None:
    result = run(
        project,
        '''
@pytest.fixture
def captured():
    return shop.login

@pytest.fixture
def outcome():
    try:
        return shop.login("bad")
    except shop.Refused:
        return "out"

@pytest.mark.hazard("A1")
@pytest.mark.bite("shop.Rules.strict", returns=False)
def test_property():
    """A1: strict."""
    assert shop.Rules().strict

@pytest.mark.hazard("A2")
@pytest.mark.bite("shop.Rules.allowed", returns=True)
def test_static():
    """A2: allowed."""
    assert not shop.Rules.allowed(3)

@pytest.mark.hazard("A3")
@pytest.mark.bite("shop.Rules.limit", 10)
def test_value():
    """A3: limit."""
    assert shop.Rules.limit == 3

@pytest.mark.hazard("A4")
@pytest.mark.bite("shop.check", returns=None, when="setup")
def test_setup(outcome):
    """A4: captured by a fixture."""
    assert outcome == "out"
''',
    )
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["hazards 4/208*bites 4/4"])


def test_cases_and_several_ids(project: pytest.Pytester) -> None:
    result = run(
        project,
        '''
@pytest.mark.hazard("A1", "A2", "A3")
@pytest.mark.bite("shop.check", returns=None, cases="A1")
@pytest.mark.parametrize("token", ["x", "y", "z"], ids=["A1-x", "A2-y", "A3-z"])
def test_refuses(token):
    """A1-A3: bad tokens are refused."""
    if token == "z":
        pytest.skip("not here")
    with pytest.raises(shop.Refused):
        shop.login(token)
''',
    )
    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(
        ["hazards 2/208, 2 without a feature, bites 1/1", "neither bite nor reason: A2"]
    )


def test_a_failure_uncovers_and_xfail_does_not_cover(project: pytest.Pytester) -> None:
    result = run(
        project,
        '''
@pytest.mark.hazard("A1")
@pytest.mark.parametrize("n", [1, 2])
def test_one(n):
    """A1: half of it."""
    assert n == 1

@pytest.mark.hazard("A2")
@pytest.mark.xfail
def test_two():
    """A2: not yet."""
    assert False

@pytest.mark.hazard("A3")
@pytest.mark.xfail
def test_three():
    """A3: unexpectedly."""
''',
    )
    result.stdout.fnmatch_lines(["hazards 0/208*bites 0/0"])


@pytest.mark.parametrize(
    ("marker", "docstring", "message"),
    [
        ('hazard("Z9")', "Z9", "*hazard Z9 is not in the catalogue*"),
        ('hazard("A99")', "A99", "*hazard A99 is not in the catalogue*"),
        ("hazard()", "A1", "*not in the catalogue*"),
        ('hazard("A1")', "nothing", "*docstring's first line does not name A1*"),
        ('hazard("A1")', "A11: close", "*docstring's first line does not name A1*"),
        ('hazard("A1", "A2")', "A1 A2", "*several hazard ids need one parametrised case*"),
        ('bite("shop.check", returns=1)', "A1", "*a bite needs a hazard*"),
        ('bite("shop.check")', "A1", "*give either a replacement or returns*"),
    ],
)
def test_wrong_markers_are_collection_errors(
    project: pytest.Pytester, marker: str, docstring: str, message: str
) -> None:
    result = run(project, f'@pytest.mark.{marker}\ndef test_it():\n    """{docstring}"""\n')
    result.stdout.fnmatch_lines([message])
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_completeness_is_a_switch(project: pytest.Pytester) -> None:
    assert run(project, REFUSES).ret == pytest.ExitCode.OK
    assert run(project, REFUSES, "--hazards-complete").ret == pytest.ExitCode.TESTS_FAILED
    result = run(project, REFUSES, "--no-bites")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["neither bite nor reason: A1"])


def test_the_table_is_printed(project: pytest.Pytester) -> None:
    result = run(project, REFUSES, "--hazards-table", "-s")
    result.stdout.fnmatch_lines(["A1: shop.check", "A2: -"])


def test_tallies(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.mark.parametrize("n", [1, 2, 3])
def test_fact(n, record_property):
    record_property("tally", "fidelity")
    assert n < 3
""",
    )
    result.stdout.fnmatch_lines(["fidelity 2/3"])


def test_parallel_workers_are_summed(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_other='''
import pytest
from tests.fakes import faults

@pytest.mark.hazard("B1")
def test_other():
    """B1: with faults."""
    case = faults.FaultCase(1, "s3.PutObject", faults.Kind.KILL_AFTER, "Killed")
    faults.REPORTS.append(faults.FaultReport("f", ("s3.PutObject",), (case,)))
'''
    )
    result = run(project, REFUSES, "-p", "xdist", "-n", "2", subprocess=True)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["hazards 2/208, 2 without a feature, bites 1/1", "faults 1 cases of 1 flows, 0 violated"]
    )


FAULTS = """
from tests.fakes import faults

def violated():
    case = faults.FaultCase(1, "s3.PutObject", faults.Kind.KILL_AFTER, "Killed", "lost")
    faults.REPORTS.append(faults.FaultReport("f", ("s3.PutObject",), (case,)))
"""


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "1"]])
def test_a_violated_fault_case_fails_the_run(project: pytest.Pytester, workers: list[str]) -> None:
    swallowed = FAULTS + "def test_swallows():\n    violated()\n"
    result = run(project, swallowed, *workers, subprocess=True)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["faults 1 cases of 1 flows, 1 violated"])


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "1"]])
def test_fault_cases_of_a_bite_are_not_counted(
    project: pytest.Pytester, workers: list[str]
) -> None:
    bitten = """
@pytest.mark.hazard("A1")
@pytest.mark.bite("shop.check", returns=None)
def test_refuses():
    '''A1: a flow that loses state only without the defence.'''
    try:
        shop.login("bad")
    except shop.Refused:
        return
    violated()
    pytest.fail("let in")
"""
    result = run(project, FAULTS + bitten, *workers, subprocess=True)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["hazards 1/208*bites 1/1"])
    result.stdout.no_fnmatch_line("faults*")


def test_what_the_product_lacks_is_named_not_missing(project: pytest.Pytester) -> None:
    result = run(project, REFUSES)
    result.stdout.fnmatch_lines(["no feature to attack: G31: ?*"])
    covered = run(project, REFUSES.replace("A1", "G31"))
    covered.stdout.fnmatch_lines(["hazards 1/208, 1 without a feature*"])


def test_the_catalogue_is_whole() -> None:
    catalogue = load_catalogue()
    assert len(catalogue) == 208
    assert all(title for title in catalogue.values())
    counts = {letter: sum(i[0] == letter for i in catalogue) for letter in "ABCDEFGH"}
    assert counts == {"A": 29, "B": 24, "C": 20, "D": 18, "E": 30, "F": 22, "G": 34, "H": 31}


def test_a_repeated_id_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.md"
    path.write_text("- **A1** one\n- **A1** two\n")
    with pytest.raises(ValueError, match="A1 is listed twice"):
        load_catalogue(path)


def test_ids_and_ranges() -> None:
    assert ids_in("A1, B2-B4: text H1..H2") == {"A1", "B2", "B3", "B4", "H1", "H2"}
    assert ids_in("A11 and UTF-16 and E2E") == {"A11"}
    assert compress(["A2", "A1", "B9", "A10"]) == "A1-A2 A10 B9"
