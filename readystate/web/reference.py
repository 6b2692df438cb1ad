"""/docs: the API's reference as one page of HTML, rendered from the OpenAPI document. It loads
nothing from anywhere, so it works where there is no internet, as beside most racks."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem; }
h1 { margin-bottom: 0; } h2 { border-top: 1px solid var(--line); padding-top: 1rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; border-radius: 4px; }
details { border: 1px solid var(--line); border-radius: 4px; margin: .4rem 0; padding: .4rem; }
summary { cursor: pointer; }
summary .method { display: inline-block; width: 4.2rem; font-weight: 700; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top;
  padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); }
nav a { margin-right: .8rem; } .quiet { opacity: .7; }
"""

_Document = Mapping[str, Any]


def render_reference(document: _Document, openapi_path: str) -> str:
    info = document["info"]
    schemas = document.get("components", {}).get("schemas", {})
    tags = document.get("tags", [])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(info["title"])} API'
        f"</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(info["title"])} API</h1><p class="quiet">version {escape(info["version"])}'
        f' · <a href="{escape(openapi_path)}">OpenAPI {escape(document["openapi"])}</a></p>'
        f"{_prose(info.get('description', ''))}<nav>{_links(tags)}</nav>"
        + "".join(_section(tag, document["paths"], schemas) for tag in tags)
        + f'<h2 id="shapes">Shapes</h2>{"".join(_shape(*it) for it in sorted(schemas.items()))}'
        + "</body></html>"
    )


def _links(tags: Iterable[_Document]) -> str:
    names = [*(tag["name"] for tag in tags), "shapes"]
    return "".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in names)


def _section(tag: _Document, paths: _Document, schemas: _Document) -> str:
    found = [
        _operation(path, method, operation, schemas)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if tag["name"] in operation.get("tags", [])
    ]
    name = escape(tag["name"])
    return f'<h2 id="{name}">{name}</h2>{_prose(tag["description"])}{"".join(found)}'


def _operation(path: str, method: str, operation: _Document, schemas: _Document) -> str:
    parts = []
    if operation.get("description") not in (None, operation.get("summary")):
        parts.append(_prose(operation["description"]))
    if operation.get("parameters"):
        parts.append(_parameters(operation["parameters"]))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        example = json.dumps(_example(content.get("schema", {}), schemas), indent=2)
        shape = _shape_name(content.get("schema", {}))
        parts.append(f"<p>Body, {escape(media)}: {shape}</p><pre>{escape(example)}</pre>")
    parts.append(_responses(operation["responses"]))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary>'
        f'<code><span class="method">{method.upper()}</span>{escape(path)}</code> '
        f'<span class="quiet">{escape(operation.get("summary", ""))}</span></summary>'
        f"{''.join(parts)}</details>"
    )


def _parameters(parameters: Iterable[_Document]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}"
        f"{', required' if item.get('required') else ''}</td>"
        f"<td>{_type(item.get('schema', {}))}</td>"
        f"<td>{escape(item.get('description', ''))}</td></tr>"
        for item in parameters
    )
    return f"<table>{rows}</table>"


def _responses(responses: _Document) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(item.get('description', ''))}</td>"
        f"<td>{', '.join(_media(*it) for it in item.get('content', {}).items())}</td></tr>"
        for status, item in responses.items()
    )
    return f"<table>{rows}</table>"


def _media(media: str, content: _Document) -> str:
    return f"{escape(media)} {_shape_name(content.get('schema', {}))}"


def _shape(name: str, schema: _Document) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>"
        f"{'' if field in required else ' <i>optional</i>'}</td>"
        f"<td>{_type(item)}</td><td>{escape(item.get('description', ''))}</td></tr>"
        for field, item in schema.get("properties", {}).items()
    )
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", []))
    return (
        f'<details id="shape-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_prose(schema.get('description', ''))}{values}<table>{rows}</table></details>"
    )


def _type(schema: _Document) -> str:
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_type(item) for item in schema.get("anyOf") or schema["oneOf"])
    if "$ref" in schema:
        return _shape_name(schema)
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(item))}</code>" for item in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "any")))


def _shape_name(schema: _Document) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#shape-{escape(name)}">{escape(name)}</a>' if name else ""


def _example(schema: _Document, schemas: _Document, depth: int = 0) -> Any:
    """A value of that shape: its own example where it has one."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return _example(options[0], schemas, depth)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: _example(it, schemas, depth + 1) for name, it in fields.items()}
        case "array":
            return [_example(schema.get("items", {}), schemas, depth + 1)] if depth < 6 else []
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return "..."


def _prose(text: str) -> str:
    """Paragraphs, and `code`."""
    paragraphs = (escape(part).split("`") for part in text.strip().split("\n\n") if part)
    return "".join(
        "<p>"
        + "".join(f"<code>{it}</code>" if n % 2 else it for n, it in enumerate(pieces))
        + "</p>"
        for pieces in paragraphs
    )
