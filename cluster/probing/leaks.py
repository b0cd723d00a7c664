"""The second line: an original that is still in the bundle, whatever way it took, keeps the bundle from being written.

The first line is the allow-list of `fields` and `lines`. This one knows nothing of forms: it looks for every name that
was replaced, in every form in which it may travel.
"""

import re
from collections.abc import Callable, Iterable, Mapping

# Words that bundles are made of. Who has called a guest `online` is not found out by it.
_FIXED = """
    active address algorithm all answer answered answers armed array arrays automatic backup base cluster config
    configured connected console controller corosync count ct data default defaults device devices dir disk disks
    drop dropped enabled error example failed false features file files format fta group groups guest guests ha
    healthy host hosts id idle iface images initiator inventory ip iso item job kind link links local lvm lxc
    maintenance manager manual map maps member members mode name nfs no node nodes none ok on online other path
    paths pod pods pool port power pve qdevice qemu qnetd quorate quorum record report restricted role root rule
    rules running server service session sessions shared site sites snapshot standby started state status stopped
    storage storages target template test text token true type uid unit units unknown user users version vg vgs vm
    volume volumes vote votes witness word yes zone
"""
WORDS = frozenset(_FIXED.split())
# A name of fewer letters stands in other words and numbers; what it says of anybody is little.
_SHORTEST = 3
# From here on a name is looked for inside of other words as well, which is how base64 and the like hold it.
_INSIDE = 8


def leaks(
    texts: Iterable[str], originals: Mapping[str, str], forms: Callable[[str], Iterable[str]], words: Iterable[str] = ()
) -> dict[str, str]:
    """Originals that stand in one of the texts, each with what it is; `forms` are those in which a value travels.

    `words` are names of people's own that are words of devices as well, like a storage called `ssd`.
    """
    passed = WORDS | {word.casefold() for word in words}
    wanted = {
        name: kind for name, kind in originals.items() if len(name) >= _SHORTEST and name.casefold() not in passed
    }
    whole, found = "\n".join(texts), {}
    folded = whole.casefold()
    for name, kind in wanted.items():
        if _stands(name, folded) or (len(name) >= _INSIDE and any(one in whole for one in _encoded(name, forms))):
            found[name] = kind
    return found


def _stands(name: str, folded: str) -> bool:
    """As a word of its own, in capital or small letters."""
    key = name.casefold()
    return key in folded and bool(re.search(rf"(?<![a-z0-9]){re.escape(key)}(?![a-z0-9])", folded))


def _encoded(name: str, forms: Callable[[str], Iterable[str]]) -> Iterable[str]:
    return (one for one in forms(name) if len(one) >= _INSIDE and one != name)
