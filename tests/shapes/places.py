"""Inventories with other places: the text of an example, bent."""

import re


def third_place(text: str) -> str:
    """The article's lab with two nodes at each site, and a third place with a node instead of a witness."""
    for name in ("pxmx01-03", "pxmx02-03"):
        text = re.sub(rf"      - name: {name}\n(        .*\n)+", "", text)
    net = re.search(r"address: 127\.(\d+)\.101\.10:", text)[1]  # type: ignore[index]
    third = f"third:\n  name: site-c\n  nodes:\n    - name: pxmx03-01\n      address: 127.{net}.103.11\n"
    return re.sub(r"witness:\n(  .*\n)+", third, text)
