"""Packaging: what is pruned, measured and proved."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.local.config import LocalCloudError
from infra.package import __main__ as package
from infra.package import imports, layers, services
from infra.package.interpreters import compile_folder, version_of
from infra.package.prune import prune, size_of


def put(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_pruning_keeps_what_is_read_at_run_time(tmp_path: Path) -> None:
    kept = {
        "botocore/data/endpoints.json",
        "botocore/data/partitions.json",
        "botocore/data/sqs/2012-11-05/service-2.json.gz",
        "boto3/data/sqs/resources.json",
        "pkg/__init__.py",
        "pkg/testing/__init__.py",
        "pkg-1.dist-info/METADATA",
        "pkg-1.dist-info/entry_points.txt",
        "pkg-1.dist-info/licenses/LICENSE.md",
    }
    put(tmp_path, *kept)
    put(
        tmp_path,
        "botocore/data/athena/2017-05-18/service-2.json.gz",
        "botocore/data/sqs/2010-01-01/service-2.json.gz",
        "botocore/data/sqs/2012-11-05/examples-1.json.gz",
        "boto3/data/athena/resources.json",
        "boto3/examples/sqs.rst",
        "bin/tool",
        "pkg/tests/test_a.py",
        "pkg/__pycache__/a.pyc",
        "pkg/a.pyi",
        "pkg-1.dist-info/RECORD",
    )
    before = size_of(tmp_path)
    saved = prune(tmp_path, {"sqs"})
    assert names(tmp_path) == kept
    assert saved == before - size_of(tmp_path) > 0


def test_a_client_of_a_service_that_is_not_shipped_is_found(tmp_path: Path) -> None:
    put(tmp_path, "a.py", content=b"boto3.client('sqs'); session.client(\n  \"athena\")")
    assert services.undeclared([tmp_path]) == {"athena": ["a.py"]}


def test_services_are_declared_once() -> None:
    assert len(set(services.AWS_SERVICES)) == len(services.AWS_SERVICES)


def test_binaries_of_another_machine_are_found(tmp_path: Path) -> None:
    arm = b"\x7fELF" + b"\0" * 14 + b"\xb7\0"
    intel = b"\x7fELF" + b"\0" * 14 + b"\x3e\0"
    put(tmp_path, "good.so", "libs/libz.so.1", content=arm)
    put(tmp_path, "bad.so", content=intel)
    assert layers.foreign_binaries(tmp_path) == ["bad.so"]


def test_entry_modules_are_proved_in_a_clean_interpreter(tmp_path: Path) -> None:
    put(tmp_path, "tidegate/__init__.py", "tidegate/a/__init__.py", content=b"")
    put(tmp_path, "tidegate/a/handler.py", content=b"import os; os.environ['TABLE_PREFIX']")
    put(tmp_path, "tidegate/a/tasks.py", content=b"import pytest")
    put(tmp_path, "tidegate/a/deep/tasks.py", content=b"")
    modules = imports.entry_modules(tmp_path)
    assert modules == ["tidegate.a.handler", "tidegate.a.tasks"]
    proofs = imports.prove(Path(sys.executable), modules, [tmp_path], {"TABLE_PREFIX": "x"})
    assert [proof.complaint for proof in proofs] == [
        "",
        "ModuleNotFoundError: No module named 'pytest'",
    ]


def test_made_up_settings_cover_every_variable() -> None:
    document = {
        "Parameters": {"Stage": {"Default": "main"}, "Code": {"Default": ""}},
        "Globals": {
            "Function": {
                "Environment": {
                    "Variables": {
                        "STAGE": {"Ref": "Stage"},
                        "CODE": {"Ref": "Code"},
                        "LIMIT": 5,
                        "KMS_KEY_ARN": {"Fn::GetAtt": ["K", "Arn"]},
                        "PUBLIC_BASE_URL": {"Fn::Sub": "x"},
                    }
                }
            }
        },
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Handler": "tidegate.a.handler.handler",
                    "Environment": {"Variables": {"OWN": {"Ref": "T"}}},
                },
            }
        },
    }
    made = imports.environment_of(document)
    assert (made["STAGE"], made["CODE"], made["LIMIT"], made["OWN"]) == ("main", "", "5", "proof")
    assert made["KMS_KEY_ARN"].startswith("arn:aws:kms:")
    assert made["PUBLIC_BASE_URL"].startswith("https://")
    assert imports.handler_modules(document) == {"F": "tidegate.a.handler"}


def test_bytecode_is_unchecked_and_shows_the_path_on_lambda(tmp_path: Path) -> None:
    put(tmp_path, "a.py", content=b"x = 1\n")
    compile_folder(Path(sys.executable), tmp_path, "/opt/python")
    (compiled,) = tmp_path.rglob("*.pyc")
    data = compiled.read_bytes()
    assert data[4] == 0b01  # hash-based, not checked against the source
    assert b"/opt/python/a.py" in data


def test_an_interpreter_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert version_of(tmp_path / "python") == ""
    assert version_of(Path(sys.executable)) == "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose one layer holds a package of its own, so nothing is downloaded."""
    root = tmp_path / "project"
    put(root, "layers/shared/kit/__init__.py", content=b"NAME = 'kit'\n")
    put(root, "functions/tidegate/__init__.py", "functions/tidegate/a/__init__.py", content=b"")
    put(root, "functions/tidegate/a/handler.py", content=b"import kit\n")
    template = """
    Globals: {Function: {CodeUri: functions/}}
    Resources:
      Shared: {Type: AWS::Serverless::LayerVersion, Metadata: {BuildMethod: python3.13},
               Properties: {ContentUri: layers/shared}}
      F: {Type: AWS::Serverless::Function,
          Properties: {Handler: tidegate.a.handler.handler, Role: !GetAtt R.Arn}}
      M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: infra/m.yaml}}
    """
    put(root, "template.yaml", content=template.encode())
    return root


def test_a_package_has_a_template_of_built_folders(project: Path) -> None:
    from infra.local.documents import read

    build = project / ".build"
    package.package(project, build)
    made = read(build / "template.yaml")
    assert made["Globals"]["Function"]["CodeUri"] == "functions"
    assert made["Resources"]["Shared"] == {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": {"ContentUri": "layers/shared"},
    }
    assert made["Resources"]["M"]["Properties"]["DefinitionUri"] == "../infra/m.yaml"
    assert made["Resources"]["F"]["Properties"]["Role"] == {"Fn::GetAtt": ["R", "Arn"]}
    assert (build / "layers/shared/python/kit/__init__.py").is_file()
    assert {path.name for path in (build / "zips").iterdir()} == {"shared.zip", "functions.zip"}


def test_a_module_that_does_not_import_fails_the_package(project: Path) -> None:
    put(project, "functions/tidegate/a/handler.py", content=b"import fastapi\n")
    with pytest.raises(LocalCloudError, match=r"tidegate\.a\.handler: ModuleNotFoundError"):
        package.package(project, project / ".build")


def test_too_large_artefacts_fail_and_name_the_largest(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "LIMIT", 10)
    with pytest.raises(LocalCloudError, match=r"more than Lambda's(.|\n)*kit"):
        package.package(project, project / ".build")
