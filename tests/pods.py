"""The inventory of a cluster with two pods, three volumes and as many storages, made from a shipped example's text."""

import yaml


def two_pods(text: str) -> str:
    """The example's pod with a second volume, and a pod beside it that is made on the other array."""
    document = yaml.safe_load(text)
    one, storage = document.pop("pod"), document.pop("storage")
    (volume,) = one["volumes"]
    arrays = list(volume["luns"])

    def at(name: str, lun: int) -> dict[str, object]:
        return {**volume, "name": name, "luns": {array: lun + number for number, array in enumerate(arrays)}}

    two = {**one, "name": f"{one['name']}-two", "first": next(name for name in arrays if name != one["first"])}
    document["pods"] = [
        {**one, "volumes": [volume, at("more", 41)]},
        {**two, "volumes": [at("apart", 51)]},
    ]
    document["storages"] = [
        {**storage, "volume": f"{one['name']}::{volume['name']}"},
        {"id": "more", "vg": "vg-more", "volume": f"{one['name']}::more"},
        {"id": "apart", "vg": "vg-apart", "volume": f"{two['name']}::apart"},
    ]
    on = [storage["id"], "more", "apart"]
    first = document["guests"][0]
    document["guests"].append({**first, "vmid": 302, "name": "ac-test-vm-03"})
    for number, guest in enumerate(document["guests"]):
        guest["storage"] = on[number % len(on)]
    return yaml.safe_dump(document, sort_keys=False)
