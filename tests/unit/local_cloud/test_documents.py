"""Reading templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.config import LocalCloudError
from infra.local.documents import read, rewrite


def write(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def test_short_forms_become_long_ones(tmp_path: Path) -> None:
    text = """
    a: !Ref X
    b: !GetAtt X.Y.Z
    c: !Sub "${X}"
    d: !If [Yes, !Ref X, !Select [0, [1]]]
    e: !Condition Yes
    f: {Version: 2012-10-17}
    """
    assert read(write(tmp_path, text)) == {
        "a": {"Ref": "X"},
        "b": {"Fn::GetAtt": ["X", "Y.Z"]},
        "c": {"Fn::Sub": "${X}"},
        "d": {"Fn::If": [True, {"Ref": "X"}, {"Fn::Select": [0, [1]]}]},
        "e": {"Condition": "Yes"},
        "f": {"Version": "2012-10-17"},
    }


@pytest.mark.parametrize("text", ["- a", "a: [", "a: !!python/object:os.system {}"])
def test_what_is_no_template_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(LocalCloudError, match=r"template\.yaml"):
        read(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match=r"gone\.yaml does not exist"):
        read(tmp_path / "gone.yaml")


def test_rewrite_changes_inner_values_first_and_keeps_the_original() -> None:
    original = {"a": ["x", {"b": "x"}]}
    assert rewrite(original, lambda node: "y" if node == "x" else node) == {"a": ["y", {"b": "y"}]}
    assert original == {"a": ["x", {"b": "x"}]}
