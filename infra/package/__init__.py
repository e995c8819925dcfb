"""Builds what is deployed to AWS: the arm64 layers and the function code, pruned and compiled.

Run it as ``python -m infra.package``; the artefacts and a template that names them are
written to ``.build/``.
"""
