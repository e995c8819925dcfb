"""The API's own documents: the OpenAPI file and plain pages made from it.

The pages use no script and nothing from another host, so they work without internet access and
under a strict Content-Security-Policy.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
}
_METHODS = ("get", "post", "put", "patch", "delete")
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1b2733;background:#fff}
code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f2f5f7;padding:.75rem;overflow:auto}
section{border-top:1px solid #d5dde3;padding:.5rem 0}
h3 code{font-weight:600}
.method{display:inline-block;min-width:4.5rem;font-weight:700}
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem .75rem .15rem 0;
vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#dfe7ec;background:#12181d}pre{background:#1d262d}
section{border-color:#33404a}a{color:#7cc4ff}}
"""


def _shipped() -> dict[str, Any]:
    text = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def _document(base_url: str) -> dict[str, Any]:
    document = _shipped()
    for server in document["servers"]:
        server["variables"]["base"]["default"] = base_url
    return document


@cache
def openapi_bytes(base_url: str) -> bytes:
    """The OpenAPI document with `base_url` as its server. UTF-8 JSON."""
    return json.dumps(_document(base_url), ensure_ascii=False, separators=(",", ":")).encode()


@cache
def reference_page(base_url: str, *, with_schemas: bool) -> str:
    """An HTML page of every operation, on request also of every schema."""
    document = _document(base_url)
    title = escape(document["info"]["title"])
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                groups.setdefault(operation["tags"][0], []).append(
                    _operation(method, path, operation, document["components"]["responses"])
                )
    links = " · ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in groups)
    body = "".join(
        f'<h2 id="{escape(name)}">{escape(name.capitalize())}</h2>{"".join(sections)}'
        for name, sections in groups.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><header><h1>{title} "
        f"{escape(document['info']['version'])}</h1>"
        f"<p>{escape(document['info']['description'])}</p>"
        f"<p>Base URL: <code>{escape(base_url)}/api</code>. Machine-readable: "
        f'<a href="{escape(base_url)}/openapi.json">openapi.json</a>.</p>'
        f"<nav>{links}</nav></header><main>{body}"
        f"{_schemas(document) if with_schemas else ''}</main></body></html>"
    )


def _operation(
    method: str, path: str, operation: dict[str, Any], shared: dict[str, dict[str, Any]]
) -> str:
    access = operation["x-tidegate-permission"]
    rows = [("Access", escape(access))]
    rows += [
        (escape(p["name"]), escape(f"{p['in']}. {p.get('description', '')}"))
        for p in operation.get("parameters", [])
    ]
    request = _models(operation.get("requestBody", {}))
    if request:
        rows.append(("Body", request))
    for status, answer in sorted(operation["responses"].items()):
        if "$ref" in answer:  # an error: its codes say more than its shape, which is always Error
            answer = shared[answer["$ref"].rpartition("/")[2]]
            rows.append((escape(status), escape(", ".join(answer["x-tidegate-codes"]))))
        else:
            rows.append((escape(status), _models(answer) or escape(answer["description"])))
    cells = "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in rows)
    return (
        f'<section id="{escape(operation["operationId"])}">'
        f'<h3><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h3>'
        f"<p>{escape(operation.get('description') or operation['summary'])}</p>"
        f"<table>{cells}</table></section>"
    )


def _models(part: dict[str, Any]) -> str:
    names = [
        reference.rpartition("/")[2]
        for media in part.get("content", {}).values()
        if isinstance(reference := media.get("schema", {}).get("$ref"), str)
    ]
    return ", ".join(f'<a href="redoc#schema-{escape(name)}">{escape(name)}</a>' for name in names)


def _schemas(document: dict[str, Any]) -> str:
    sections = [
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
        f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre></section>"
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    return f'<h2 id="schemas">Schemas</h2>{"".join(sections)}'


def manifest() -> list[tuple[str, str, str]]:
    """(domain, METHOD, path) of every declared route: the document is made from the route table."""
    return [
        (operation["tags"][0], method.upper(), path)
        for path, operations in _shipped()["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
    ]
