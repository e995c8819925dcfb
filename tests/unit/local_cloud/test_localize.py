"""The localizer's two halves, without an emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.local.config import LocalCloud, LocalCloudError
from infra.local.deploy import parameters_for, ttl_attribute
from infra.local.documents import read
from infra.local.localize import MISSING, Preparation, localize

DATA = Path(__file__).parent / "data"
EVERYTHING = ("AWS::Lambda::Function", "AWS::Lambda::LayerVersion", "AWS::SecretsManager::Secret")


@pytest.fixture
def cloud(tmp_path: Path) -> LocalCloud:
    return LocalCloud(home=tmp_path, environments=tmp_path, template=DATA / "template.yaml")


def localized(cloud: LocalCloud, resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = {"Resources": resources, **more}
    return localize(
        document, {"layers/A.zip": Path("/a"), "layers/B.zip": Path("/b")}, EVERYTHING, cloud
    ).document


def layer(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::LayerVersion",
        "Properties": {"Content": {"S3Bucket": "b", "S3Key": f"layers/{name}.zip"}},
    }


def function(**props: Any) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::Function", "Properties": props}


def test_prepare_turns_folders_and_files_into_objects(cloud: LocalCloud) -> None:
    document = read(cloud.template)
    preparation = Preparation(cloud, "bucket")
    nested = preparation.prepare(document, DATA)
    assert nested == {"Observability": DATA / "nested.yaml"}
    keys = [archive.key for archive in preparation.archives]
    assert len([key for key in keys if key.startswith("code/")]) == 1  # built once for all
    web = document["Resources"]["WebFunction"]["Properties"]
    assert web["CodeUri"] == {"Bucket": "bucket", "Key": keys[0]}
    assert web["Runtime"] == "provided.al2023"
    assert "CodeUri" not in document["Globals"]["Function"]
    machine = document["Resources"]["Machine"]["Properties"]
    assert machine["Definition"]["StartAt"] == "Work"
    assert "DefinitionUri" not in machine
    assert preparation.layers["layers/Shared.zip"] == DATA / "layers" / "shared"


def test_layers_become_a_path_in_the_order_in_which_aws_overlays_them(cloud: LocalCloud) -> None:
    made = localized(
        cloud,
        {"A1": layer("A"), "B1": layer("B"), "F": function(Layers=[{"Ref": "A1"}, {"Ref": "B1"}])},
    )
    props = made["Resources"]["F"]["Properties"]
    assert props["Environment"]["Variables"] == {"LOCAL_LAYER_PATH": "/b:/a", "LOCAL_LOG_NAME": "F"}
    assert "Layers" not in props


def test_a_layer_from_elsewhere_is_refused(cloud: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match="function F uses layer arn:aws:lambda"):
        localized(cloud, {"F": function(Layers=["arn:aws:lambda:x"])})


def test_unsupported_resources_are_left_out_with_a_note(cloud: LocalCloud) -> None:
    document = {
        "Resources": {
            "Budget": {"Type": "AWS::Budgets::Budget"},
            "Mine": {"Type": "Custom::Thing"},
            "F": {
                **function(Description={"Ref": "Budget"}, Role={"Fn::Sub": "x-${Budget.Arn}"}),
                "DependsOn": "Budget",
            },
        },
        "Outputs": {"B": {"Value": {"Fn::GetAtt": ["Budget", "Arn"]}}},
    }
    made = localize(document, {}, EVERYTHING, cloud)
    assert made.notes == ["Budget (AWS::Budgets::Budget) is not emulated and was left out"]
    assert set(made.document["Resources"]) == {"Mine", "F"}
    assert made.document["Resources"]["F"]["DependsOn"] == []
    props = made.document["Resources"]["F"]["Properties"]
    assert (props["Description"], props["Role"]) == (MISSING, {"Fn::Sub": f"x-{MISSING}"})
    assert made.document["Outputs"] == {"B": {"Value": MISSING}}


def test_references_say_on_the_emulator_what_they_say_on_aws(cloud: LocalCloud) -> None:
    host = "${Api}.execute-api.${AWS::Region}.amazonaws.com"
    variables = {
        "SECRET": {"Ref": "S"},
        "NAMED": {"Fn::Sub": "a-${S}"},
        "POST": {"Fn::Sub": f"https://{host}/${{Stage}}"},
        "SOCKET": {"Fn::Sub": f"wss://{host}/${{Stage}}"},
        "OTHER": {"Fn::Sub": ["https://example.com/${x}", {"x": "y"}]},
    }
    made = localized(
        cloud,
        {
            "S": {"Type": "AWS::SecretsManager::Secret"},
            "F": function(Environment={"Variables": variables}),
        },
    )
    found = made["Resources"]["F"]["Properties"]["Environment"]["Variables"]
    assert found["SECRET"] == {"Fn::GetAtt": ["S", "Id"]}
    assert found["NAMED"] == {"Fn::Sub": "a-${S.Id}"}
    assert found["POST"] == {"Fn::Sub": "http://127.0.0.1:4566/_aws/execute-api/${Api}/${Stage}"}
    assert found["SOCKET"] == {"Fn::Sub": "ws://127.0.0.1:8000/ws"}
    assert found["OTHER"] == variables["OTHER"]


def test_only_declared_parameters_are_passed(cloud: LocalCloud) -> None:
    declared = {"Stage": {"Type": "String"}, "Other": {"Type": "String", "Default": "x"}}
    assert parameters_for(cloud, {"Parameters": declared}) == {"Stage": "local"}


def test_a_parameter_without_a_value_is_named(cloud: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match="Colour have no default"):
        parameters_for(cloud, {"Parameters": {"Colour": {"Type": "String"}}})


@pytest.mark.parametrize(
    ("declared", "attribute"),
    [
        ({"TimeToLiveSpecification": {"AttributeName": "t", "Enabled": True}}, "t"),
        ({"TimeToLiveSpecification": {"AttributeName": "t", "Enabled": False}}, ""),
        ({}, ""),
    ],
)
def test_ttl_attribute(declared: dict[str, Any], attribute: str) -> None:
    assert ttl_attribute(declared) == attribute


@pytest.mark.parametrize(
    ("resource", "complaint"),
    [
        ({"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "x"}}, "InlineCode"),
        ({"Type": "AWS::Serverless::Function", "Properties": {}}, "no local CodeUri"),
        ({"Type": "AWS::Serverless::LayerVersion", "Properties": {}}, "no local ContentUri"),
        (
            {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x/y"}},
            "does not name a local template",
        ),
    ],
)
def test_what_cannot_run_here_is_refused_by_name(
    cloud: LocalCloud, resource: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(LocalCloudError, match=f"Thing.*{complaint}"):
        Preparation(cloud, "b").prepare({"Resources": {"Thing": resource}}, DATA)
