"""The page `/docs`: an OpenAPI document as plain HTML, without scripts or external resources."""

import base64
import hashlib
import json
import re
from functools import cache
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --quiet: #777; --link: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --quiet: #999; --link: #7aa2f7; } body { background: #16181d; color: #e4e6eb; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 5rem; }
h1 { font-size: 2rem; margin: 0 0 .25rem; } h1 small { font-size: 1rem; font-weight: 400; color: var(--quiet); }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 0; display: flex; gap: .6rem; align-items: baseline; flex-wrap: wrap; }
h3 span { font-weight: 400; color: var(--quiet); font-size: .95rem; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1.1rem; margin: .9rem 0; }
section:target { border-color: var(--link); }
p { margin: .5rem 0; } a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
code, pre { font: .9em/1.5 ui-monospace, Menlo, Consolas, monospace; }
code { background: var(--soft); border-radius: .25rem; padding: .1em .3em; overflow-wrap: anywhere; }
h3 code { background: none; padding: 0; }
pre { background: var(--soft); border-radius: .4rem; padding: .7rem .9rem; overflow-x: auto; margin: .6rem 0; }
b.method { font: 600 .75rem/1.6 ui-monospace, monospace; color: #fff; background: #64748b; border-radius: .3rem; padding: 0 .5rem; }
b.get { background: #15803d; } b.post { background: #1d4ed8; } b.put { background: #b45309; } b.delete { background: #b91c1c; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 0; font-size: .93rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: .8rem; }
th, td { padding: .3rem .8rem .3rem 0; vertical-align: top; }
td { border-top: 1px solid var(--line); } nav { columns: 2 18rem; } nav a { display: block; }
nav b.method { display: inline-block; width: 3.6rem; text-align: center; margin-right: .5rem; padding: 0; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_METHODS = ("get", "post", "put", "patch", "delete")
_Object = dict[str, Any]


def add_docs(app: FastAPI) -> None:
    """Serve the application's own OpenAPI document as a page at `/docs`."""

    @cache
    def page() -> str:
        return render(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(), headers={"content-security-policy": _POLICY})


def render(document: _Object) -> str:
    """Return an OpenAPI document as an HTML page."""
    info = document["info"]
    operations = [(method, path, item[method]) for path, item in document.get("paths", {}).items() for method in _METHODS if method in item]
    schemas: _Object = document.get("components", {}).get("schemas", {})
    title = escape(info["title"])
    links = "".join(
        f'<a href="#{_anchor(method, path)}">{_method(method)}<code>{escape(path)}</code></a>' for method, path, _ in operations
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{title} <small>version {escape(info['version'])}</small></h1>{_prose(info.get('description', ''))}"
        f'<p>Machine-readable: <a href="/openapi.json">openapi.json</a></p><h2>Endpoints</h2><nav>{links}</nav>'
        f"{''.join(_operation(*operation, schemas) for operation in operations)}<h2>Schemas</h2>"
        f"{''.join(_schema(name, schema) for name, schema in schemas.items())}</body></html>"
    )


def _operation(method: str, path: str, operation: _Object, schemas: _Object) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    parts = [f"<h3>{_method(method)}<code>{escape(path)}</code><span>{escape(operation.get('summary', ''))}</span></h3>"]
    parts.append(_prose(operation.get("description", "")))
    for media, content in body.items():
        schema = content.get("schema", {})
        parts.append(f"<p>Request body: {_kind(schema)} as <code>{escape(media)}</code>:</p>{_fields(_resolved(schema, schemas))}")
    rows = ""
    for status, response in operation.get("responses", {}).items():
        kinds = ", ".join(_kind(content["schema"]) for content in response.get("content", {}).values() if content.get("schema"))
        rows += f"<tr><td><code>{escape(status)}</code></td><td>{escape(response.get('description', ''))}</td><td>{kinds}</td></tr>"
    parts.append(f"<table><tr><th>Status</th><th>Meaning</th><th>Response</th></tr>{rows}</table>" if rows else "")
    return f'<section id="{_anchor(method, path)}">{"".join(parts)}</section>'


def _schema(name: str, schema: _Object) -> str:
    about = f"<h3><code>{escape(name)}</code></h3>{_prose(schema.get('description', ''))}"
    return f'<section id="{escape(name)}">{about}{_fields(schema)}</section>'


def _fields(schema: _Object) -> str:
    rows = ""
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in schema.get("required", ()) else f"<code>{escape(json.dumps(field.get('default')))}</code>"
        rows += f"<tr><td><code>{escape(name)}</code></td><td>{_kind(field)}</td><td>{default}</td></tr>"
    return f"<table><tr><th>Field</th><th>Type</th><th>Default</th></tr>{rows}</table>" if rows else ""


def _kind(schema: _Object) -> str:
    """Return the type of a schema as HTML text."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if schema.get("items") else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return escape(str(schema.get("type", "anything")))


def _resolved(schema: _Object, schemas: _Object) -> _Object:
    resolved: _Object = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return resolved


def _prose(text: str) -> str:
    """Convert Markdown paragraphs and code blocks to HTML."""
    out = ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        code = re.fullmatch(r"```\w*\n(.*?)\n?```", paragraph.strip(), re.S)
        marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(paragraph.split()), quote=False))
        out += f"<pre>{escape(code[1])}</pre>" if code else f"<p>{marked}</p>" if marked else ""
    return out


def _method(method: str) -> str:
    return f'<b class="method {method}">{method.upper()}</b>'


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}-{path.strip('/').replace('/', '-') or 'root'}")
