"""The description of the API as a page for people: no script, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-top:1px solid #8884;padding-top:1.5rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{overflow-x:auto;padding:.75rem 1rem;background:#8881;border-radius:.5rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;
border-bottom:1px solid #8883}
@media(prefers-color-scheme:dark){body{background:#121212;color:#eaeaea}a{color:#8ab4f8}}
"""
_EXAMPLES = {
    "classify": (
        "curl -F picture=@photo.jpg 'ADDRESS/v1/classify?top=3'",
        "curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg ADDRESS/v1/classify",
    ),
}


def page(document: Mapping[str, Any], address: str) -> bytes:
    """HTML of an OpenAPI document; `address` stands in its examples."""
    body = "\n".join(_body(document, address))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>whatsit: HTTP API'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    ).encode()


def _body(document: Mapping[str, Any], address: str) -> Iterator[str]:
    info = document["info"]
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}: HTTP API</h1>"
    yield f"<p>{escape(info['summary'])} "
    yield 'The same for programs: <a href="openapi.json">openapi.json</a>.</p>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            about = f"{operation['summary']} {operation.get('description', '')}"
            yield f"<p>{escape(about)}</p>"
            if operation["security"]:
                yield "<p>Needs the key, as <code>Authorization: Bearer KEY</code> or "
                yield "<code>X-API-Key: KEY</code>.</p>"
            for example in _EXAMPLES.get(operation["operationId"], ()):
                yield f"<pre>{escape(example.replace('ADDRESS', address))}</pre>"
            yield from _parameters(operation.get("parameters", ()))
            yield from _responses(operation["responses"])


def _parameters(parameters: Any) -> Iterator[str]:
    if not parameters:
        return
    yield "<h3>Parameters</h3><table><tr><th>Name</th><th>Meaning</th><th>Values</th></tr>"
    for row in parameters:
        yield f"<tr><td><code>{escape(row['name'])}</code></td><td>{escape(row['description'])}"
        yield f"</td><td>{escape(_values(row['schema']))}</td></tr>"
    yield "</table>"


def _values(schema: Mapping[str, Any]) -> str:
    """What a parameter may be, in words."""
    words = [", ".join(map(str, schema["enum"]))] if "enum" in schema else []
    if not words:
        words.append({"array": "text, repeated"}.get(schema["type"], schema["type"]))
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is not None:
        words.append(f"{least} to {most}")
    if "default" in schema:
        words.append(f"default {str(schema['default']).lower()}")
    return "; ".join(words)


def _responses(responses: Mapping[str, Any]) -> Iterator[str]:
    yield "<h3>Answers</h3><table><tr><th>Status</th><th>When</th></tr>"
    for status, response in responses.items():
        yield f"<tr><td>{status}</td><td>{escape(response['description'])}</td></tr>"
    yield "</table>"
