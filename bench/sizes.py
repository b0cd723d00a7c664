"""Inventories of other sizes, made from the example."""

import copy
from typing import Any


def grown(data: dict[str, Any], *, nodes: int, guests: int) -> dict[str, Any]:
    """An inventory's data with so many nodes, half of them on each site, and so many guests, spread over all."""
    found = copy.deepcopy(data)
    for number, site in enumerate(found["sites"], start=1):
        net = ".".join(site["nodes"][0]["address"].split(".")[:3])
        site["nodes"] = [
            {
                "name": f"pxmx{number:02d}-{index:02d}",
                "address": f"{net}.{10 + index}",
                "iqn": f"iqn.1993-08.org.debian:01:a1b2c3d4{number:02d}{index:02d}",
            }
            for index in range(1, nodes // 2 + 1)
        ]
    names = [node["name"] for site in found["sites"] for node in site["nodes"]]
    found["guests"] = [
        {"vmid": 1000 + index, "name": f"guest-{index:03d}", "template": 101, "node": names[index % nodes]}
        for index in range(guests)
    ]
    return found
