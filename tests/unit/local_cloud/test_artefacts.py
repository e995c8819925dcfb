"""Code archives and layer folders."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from infra.local import artefacts
from infra.local.config import LocalCloud, LocalCloudError


@pytest.fixture
def cloud(tmp_path: Path) -> LocalCloud:
    return LocalCloud(home=tmp_path / "home", environments=tmp_path / "environments")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "app" / "__pycache__").mkdir(parents=True)
    (folder / "app" / "main.py").write_text("x = 1\n")
    (folder / "app" / "__pycache__" / "main.pyc").write_bytes(b"1")
    return folder


def test_the_archive_holds_sources_and_an_executable_bootstrap(
    cloud: LocalCloud, code: Path
) -> None:
    archive = artefacts.code_archive(cloud, code)
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        assert sorted(opened.namelist()) == ["app/main.py", "bootstrap"]
        assert opened.getinfo("bootstrap").external_attr >> 16 == 0o755
        bootstrap = opened.read("bootstrap").decode()
    assert "-m awslambdaric" in bootstrap
    assert str(cloud.runtime_env) in bootstrap


def test_equal_content_has_an_equal_key_and_other_content_another(
    cloud: LocalCloud, code: Path
) -> None:
    first = artefacts.code_archive(cloud, code)
    os.utime(code / "app" / "main.py", (1, 1))
    (code / "app" / "__pycache__" / "main.pyc").write_bytes(b"2")
    assert artefacts.code_archive(cloud, code) == first
    (code / "app" / "main.py").write_text("x = 2\n")
    assert artefacts.code_archive(cloud, code).key != first.key


def test_a_layer_of_packages_is_copied_once(cloud: LocalCloud, code: Path) -> None:
    path = artefacts.layer_path(cloud, code)
    assert (path / "app" / "main.py").read_text() == "x = 1\n"
    assert not list(path.rglob("*.pyc"))
    assert artefacts.layer_path(cloud, code) == path
    (code / "app" / "main.py").write_text("x = 2\n")
    assert artefacts.layer_path(cloud, code) != path


def test_a_layer_with_a_python_folder_is_used_as_it_is(cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "layer" / "python").mkdir(parents=True)
    assert artefacts.layer_path(cloud, tmp_path / "layer") == tmp_path / "layer" / "python"


def test_missing_folders_are_named(cloud: LocalCloud, tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="gone is not a folder"):
        artefacts.code_archive(cloud, tmp_path / "gone")
    with pytest.raises(LocalCloudError, match="gone does not exist"):
        artefacts.layer_path(cloud, tmp_path / "gone")
