"""The inventory as a JSON Schema, which editors complete, explain and check a file by while it is written. Pure.

It is the shape of the file: what names mean to each other, `quorate check` says. What an inventory may be, the schema
takes; a test holds it to that.
"""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from cluster.inventory import Inventory
from cluster.units import written

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# The file beside an inventory, and the line by which editors with YAML's language server find it.
FILE = "inventory.schema.json"
HEADER = "# yaml-language-server: $schema={}"


class _Readable(GenerateJsonSchema):
    """Defaults as people write them, and no title that only repeats a field's name."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return written(dft)
        if isinstance(dft, tuple):
            return [self.encode_default(one) for one in dft]
        return super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The schema of an inventory file, in the order of its fields."""
    found = Inventory.model_json_schema(schema_generator=_Readable)
    for model in (found, *found["$defs"].values()):
        for field in model.get("properties", {}).values():
            if isinstance(field.get("default"), dict):
                del field["default"]  # its own fields tell theirs
    return {"$schema": DIALECT, **found, "title": "The inventory of a stretched cluster, as Quorate reads it"}
