"""Translate a SAM template (JSON on stdin) to CloudFormation (JSON on stdout).

Runs in the emulator's environment, which has aws-sam-translator.
Input: {"template": ..., "parameters": {...}, "region": ...}.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any


class _PolicyNames:
    """Managed policies by name; SAM would ask IAM, which is not needed for ARNs."""

    def load(self) -> dict[str, str]:
        return {}


def translate(template: dict[str, Any], parameters: dict[str, str], region: str) -> dict[str, Any]:
    """The CloudFormation form of *template*."""
    os.environ["AWS_DEFAULT_REGION"] = region
    from samtranslator.translator.transform import transform

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    translated: dict[str, Any] = transform(template, parameters, _PolicyNames())
    return translated


def main() -> int:
    """Return 0, or 2 with the translator's complaints on stderr."""
    from samtranslator.model.exceptions import InvalidDocumentException

    asked = json.load(sys.stdin)
    try:
        json.dump(translate(asked["template"], asked["parameters"], asked["region"]), sys.stdout)
    except InvalidDocumentException as error:
        print(error.message, file=sys.stderr)
        for cause in error.causes:
            print(f"  {cause.message}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
