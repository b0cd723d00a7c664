"""What pagers and chats take, as their own pages document it: small JSON schemas, one a file, each with its source.

A field that the service does not know is refused, as are texts beyond its limits.
"""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema_rs

# Bytes of a whole event of Matrix; what a homeserver adds to the content is small.
MATRIX = 65536 - 2048


def check(service: str, document: Any) -> None:
    """ValidationError when that service would not take the document."""
    _validator(service).validate(document)


@functools.cache
def _validator(service: str) -> Any:
    schema = json.loads(Path(__file__).with_name(f"{service}.json").read_text())
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
