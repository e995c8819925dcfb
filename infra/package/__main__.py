"""``python -m infra.package``: build, prune, compile, zip, measure and prove the artefacts."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from infra.local.artefacts import source_files
from infra.local.config import PROJECT_ROOT, LocalCloudError
from infra.local.documents import Document, properties, read, resources_of_type
from infra.local.progress import complain, note, say, step
from infra.package import imports, layers
from infra.package.interpreters import (
    LAMBDA_PYTHON,
    compile_folder,
    lambda_python,
    version_of,
)
from infra.package.prune import prune, size_of
from infra.package.services import AWS_SERVICES, undeclared

LIMIT = 250 * 1024 * 1024
"""Unzipped bytes that a function and its layers may have (the AWS limit)."""


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when the artefacts are good."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT)
    parser.add_argument("--build", type=Path, help="output folder (default: .build)")
    chosen = parser.parse_args(arguments)
    root = chosen.root.absolute()
    build = (chosen.build or root / ".build").absolute()
    try:
        package(root, build)
    except LocalCloudError as error:
        complain(f"error: {error}")
        return 1
    return 0


def package(root: Path, build: Path) -> None:
    """Build everything into *build*; raises LocalCloudError when something must be mended."""
    started = time.monotonic()
    missing = undeclared([root / "functions", root / "layers" / "shared"])
    if missing:
        raise LocalCloudError(
            "AWS services used but not shipped: "
            + ", ".join(f"{name} ({', '.join(files)})" for name, files in missing.items())
            + "\n  Add them to AWS_SERVICES in infra/package/services.py."
        )
    python = lambda_python()
    if python is None:
        note(
            f"no Python {LAMBDA_PYTHON} here: nothing is compiled, cold starts will be slower. "
            f"Deploy from a machine that has it, or name one in TIDEGATE_PYTHON313."
        )
    folders = _fresh(build)
    names = [content.name for content in layers.layer_folders(root)]
    for content in layers.layer_folders(root):
        _build_layer(content, folders["layers"] / content.name / "python", python)
    _copy_functions(root / "functions", folders["functions"], python)
    _report_sizes(build, folders, names)
    template = root / "template.yaml"
    document: Document = read(template) if template.is_file() else {}
    if document:
        _write_template(document, root, build)
    _prove_imports(root, build, python, document)
    say(f"packaged after {time.monotonic() - started:.1f} s")
    if document:
        say(f"Next: sam deploy --guided --template-file {build / 'template.yaml'}")


def _fresh(build: Path) -> dict[str, Path]:
    shutil.rmtree(build, ignore_errors=True)
    made = {name: build / name for name in ("layers", "functions", "zips")}
    for folder in made.values():
        folder.mkdir(parents=True)
    return made


def _build_layer(content: Path, target: Path, python: Path | None) -> None:
    with step(f"layer {content.name}: installing for arm64") as shown:
        layers.install(content, target, "arm64")
        saved = prune(target, AWS_SERVICES)
        foreign = layers.foreign_binaries(target)
        if foreign:
            raise LocalCloudError(
                f"layer {content.name} holds binaries of another machine: {foreign}"
            )
        if python is not None:
            compile_folder(python, target, "/opt/python")
        shown.detail = f"pruned {megabytes(saved)}"


def _copy_functions(source: Path, target: Path, python: Path | None) -> None:
    for path in source_files(source):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    if python is not None:
        compile_folder(python, target, "/var/task")


def _report_sizes(build: Path, folders: dict[str, Path], names: list[str]) -> None:
    total = 0
    parts = {f"layer {name}": folders["layers"] / name for name in names}
    parts["functions"] = folders["functions"]
    with step("zipping"):
        for name, folder in parts.items():
            _zip(folder, folders["zips"] / f"{name.removeprefix('layer ')}.zip")
    for name, folder in parts.items():
        zipped = (folders["zips"] / f"{name.removeprefix('layer ')}.zip").stat().st_size
        unzipped = size_of(folder)
        total += unzipped
        say(f"  {name:<22}{megabytes(zipped):>10} zipped {megabytes(unzipped):>10} unzipped")
    say(f"  {'total':<22}{'':>10}        {megabytes(total):>10} of {megabytes(LIMIT)} allowed")
    if total > LIMIT:
        raise LocalCloudError(
            f"the artefacts have {megabytes(total)} unzipped, more than Lambda's "
            f"{megabytes(LIMIT)}. The largest packages are:\n  " + "\n  ".join(_largest(build))
        )


def _largest(build: Path) -> list[str]:
    packages = [path for path in build.glob("layers/*/python/*") if path.is_dir()]
    sizes = sorted(((size_of(path), path.name) for path in packages), reverse=True)
    return [f"{megabytes(size)} {name}" for size, name in sizes[:8]]


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _write_template(document: Document, root: Path, build: Path) -> None:
    """The project's template with the built folders in place of the sources."""

    def moved(path: Any) -> Any:
        return os.path.relpath(root / path, build) if isinstance(path, str) else path

    shared = document.get("Globals", {}).get("Function", {})
    if "CodeUri" in shared:
        shared["CodeUri"] = "functions"
    for resource in resources_of_type(document, "AWS::Serverless::Function").values():
        if "CodeUri" in properties(resource):
            properties(resource)["CodeUri"] = "functions"
    for resource in resources_of_type(document, "AWS::Serverless::LayerVersion").values():
        resource.pop("Metadata", None)  # it is built already
        props = properties(resource)
        props["ContentUri"] = f"layers/{Path(props['ContentUri']).name}"
    for kind, key in (
        ("AWS::Serverless::StateMachine", "DefinitionUri"),
        ("AWS::Serverless::Application", "Location"),
        ("AWS::CloudFormation::Stack", "TemplateURL"),
    ):
        for resource in resources_of_type(document, kind).values():
            if key in properties(resource):
                properties(resource)[key] = moved(properties(resource)[key])
    # JSON is YAML, and sam reads it as such.
    (build / "template.yaml").write_text(json.dumps(document, indent=1, default=str) + "\n")


def _prove_imports(root: Path, build: Path, python: Path | None, document: Document) -> None:
    functions = root / "functions"
    modules = imports.entry_modules(functions)
    absent = {
        name: module
        for name, module in imports.handler_modules(document).items()
        if not (functions / Path(*module.split("."))).with_suffix(".py").is_file()
    }
    interpreter = python or Path(sys.executable)
    version = version_of(interpreter)
    proof = build / "proof"
    with step(f"installing the same layers for this machine (Python {version})"):
        path = [functions]
        for content in layers.layer_folders(root):
            layers.install(content, proof / content.name, version)
            prune(proof / content.name, AWS_SERVICES)
            path.append(proof / content.name)
    with step(f"importing {len(modules)} entry modules with nothing else on the path") as shown:
        environment = imports.environment_of(document)
        failed = [
            item
            for item in imports.prove(interpreter, modules, path, environment)
            if item.complaint
        ]
        shown.detail = f"{len(failed)} failed"
    shutil.rmtree(proof)
    if not modules:
        note("there is no tidegate.*.handler or tidegate.*.tasks module yet: nothing was proved")
    if failed or absent:
        lines = [f"{item.module}: {item.complaint}" for item in failed]
        lines += [
            f"{name}: its Handler's module {module} does not exist"
            for name, module in absent.items()
        ]
        raise LocalCloudError("the artefacts do not start:\n  " + "\n  ".join(lines))


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1024 / 1024:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
