"""Operator's commands: `python -m infra.operate --help`. Runbooks are in docs/operations.md."""
