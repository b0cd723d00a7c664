"""Inventories with other places: the text of an example, bent."""

import re


def third_place(text: str, less: tuple[str, ...] = ("pxmx01-03", "pxmx02-03"), there: int = 1) -> str:
    """The article's lab without some nodes, and a third place with nodes instead of a witness: 2+2 and one there."""
    for name in less:
        text = re.sub(rf"      - name: {name}\n(        .*\n)+", "", text)
    net = re.search(r"address: 127\.(\d+)\.101\.10:", text)[1]  # type: ignore[index]
    # from the witness's address on: by that a test finds a net on which no other twin answers
    nodes = "".join(
        f"    - name: pxmx03-0{number}\n      address: 127.{net}.103.{116 + number}\n" for number in range(1, there + 1)
    )
    return re.sub(r"witness:\n(  .*\n)+", f"third:\n  name: site-c\n  nodes:\n{nodes}", text)


def unequal(text: str) -> str:
    """Three and two, with two at the third place."""
    return third_place(text, ("pxmx02-03",), 2)


def linked(text: str) -> str:
    """Each node with two links of corosync at addresses of their own: 40 and 60 more in the third number."""

    def with_links(found: re.Match[str]) -> str:
        start, indent, net, place, number = found.groups()
        links = ", ".join(f"{net}{int(place) + more}.{number}" for more in (40, 60))
        return f"{start}{indent}address: {net}{place}.{number}\n{indent}links: [{links}]\n"

    return re.sub(r"( +- name: pxmx\S+\n)( +)address: (127\.\d+\.)(\d+)\.(\d+)\n", with_links, text)
