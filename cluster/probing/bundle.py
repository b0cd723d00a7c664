"""The bundle: a zip file with a manifest, the inventory and the answers of a probe. Equal answers give equal bytes.

Who opens one trusts nobody: what is not exactly as `pack` makes it is refused with a sentence, and nothing of it is
unpacked into a folder.
"""

import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

from pydantic import Field, ValidationError

from cluster.nouns import Value
from cluster.probing.cleaning import Answer

FORMAT = 1
MANIFEST, INVENTORY = "manifest.json", "inventory.yaml"
# A site of 32 nodes and a thousand guests stays below a tenth of either.
LARGEST, ENTRIES = 64 * 2**20, 20_000
_NAME = re.compile(r"answers/[a-z]+/[a-z0-9.-]+/[a-z-]+(\.\d+)?\.json")
# A few lines a node; and no anchors, by which YAML can be made to grow without end.
_INVENTORY, _ANCHOR = 2**20, re.compile(r"(^|[\s:,\[{-])[&*]\S", re.MULTILINE)
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can tell


class BadBundle(Exception):
    """A file that is no bundle of ours; the text says why."""


class Asked(Value):
    """One question of a probe and how it went: ``answered``, or the word for why there is no answer."""

    who: str
    what: str
    count: int = 1
    went: str = "answered"


class Manifest(Value):
    """What a bundle is, what was asked, and how often which field or line was left out."""

    format: int = FORMAT
    quorate: str
    asked: tuple[Asked, ...] = ()
    dropped: dict[str, int] = Field(default_factory=dict)


class Bundle(Value):
    """All that is in it; `inventory` is YAML."""

    manifest: Manifest
    inventory: str
    answers: tuple[Answer, ...]


def manifest(answers: Sequence[Answer], dropped: Mapping[str, int], version: str) -> Manifest:
    """What these answers were asked for; several of one kind count together."""
    counted: dict[tuple[str, str, str], int] = {}
    for one in answers:
        key = (f"{one.of} {one.who}", one.what, one.word or "answered")
        counted[key] = counted.get(key, 0) + 1
    asked = tuple(Asked(who=who, what=what, went=went, count=n) for (who, what, went), n in sorted(counted.items()))
    return Manifest(quorate=version, asked=asked, dropped=dict(sorted(dropped.items())))


def entries(bundle: Bundle) -> dict[str, str]:
    """The files in it by their names, in their order."""
    found = {MANIFEST: _json(bundle.manifest.model_dump()), INVENTORY: bundle.inventory}
    for one in bundle.answers:
        item = f".{one.item}" if one.item else ""
        name = f"answers/{one.of}/{one.who}/{one.what}{item}.json"
        found[name] = _json(one.model_dump(exclude={"of", "who", "what", "item"}, exclude_defaults=True))
    return dict(sorted(found.items()))


def pack(bundle: Bundle) -> bytes:
    """The zip file. Nothing is compressed: so the bytes are the same everywhere, and anybody can search them."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as file:
        for name, text in entries(bundle).items():
            about = zipfile.ZipInfo(name, _BEGINNING)
            about.external_attr = 0o644 << 16
            file.writestr(about, text.encode())
    return written.getvalue()


def unpack(data: bytes) -> Bundle:
    """The bundle in a zip file; BadBundle says what is wrong with it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            texts = _texts(file)
    except (zipfile.BadZipFile, EOFError):
        raise BadBundle("it is no zip file, or a part of it is missing: fetch it once more") from None
    except (NotImplementedError, RuntimeError):
        raise BadBundle("it is packed in a way that `quorate probe` does not use") from None
    except UnicodeDecodeError:
        raise BadBundle("it holds bytes that are no UTF-8 text") from None
    except (zlib.error, lzma.LZMAError, OSError, ValueError, OverflowError, struct.error):  # zipfile passes all on
        raise BadBundle("a part of it is damaged: fetch it once more") from None
    if MANIFEST not in texts or INVENTORY not in texts:
        missing = MANIFEST if MANIFEST not in texts else INVENTORY
        raise BadBundle(f"it has no {missing}, so `quorate probe` did not make it")
    about = _manifest(texts.pop(MANIFEST))
    inventory = texts.pop(INVENTORY)
    if len(inventory) > _INVENTORY or _ANCHOR.search(inventory):
        raise BadBundle(f"its {INVENTORY} is not as `quorate probe` writes one")
    return Bundle(manifest=about, inventory=inventory, answers=tuple(_answer(*one) for one in texts.items()))


def _texts(file: zipfile.ZipFile) -> dict[str, str]:
    infos = file.infolist()
    if len(infos) > ENTRIES:
        raise BadBundle(f"it has {len(infos)} files; a bundle has at most {ENTRIES}")
    for one in infos:
        if one.filename not in (MANIFEST, INVENTORY) and not _NAME.fullmatch(one.filename):
            raise BadBundle(f"it has a file {one.filename[:80]!r}, which is in no bundle")
    if len({one.filename for one in infos}) < len(infos):
        raise BadBundle("it has two files of one name")
    # what is told here is what is read at most: zipfile stops there, and then the checksum is wrong
    if (size := sum(one.file_size for one in infos)) > LARGEST:
        raise BadBundle(f"it would be {size // 2**20} MiB; a bundle has at most {LARGEST // 2**20}")
    return {one.filename: file.read(one).decode() for one in infos}


def _manifest(text: str) -> Manifest:
    found = _parsed(MANIFEST, text)
    form = found.get("format") if isinstance(found, dict) else None
    if form != FORMAT:
        made = str(found.get("quorate", "unknown"))[:20] if isinstance(found, dict) else "unknown"
        raise BadBundle(
            f"it has the form {str(form)[:10]}, made by Quorate {made}; this one reads form {FORMAT}: use the same one"
        )
    try:
        return Manifest.model_validate(found)
    except ValidationError as error:
        raise BadBundle(f"its {MANIFEST} cannot be read: {_first(error)}") from None


def _answer(name: str, text: str) -> Answer:
    _, of, who, last = name.split("/")
    what, _, item = last.removesuffix(".json").partition(".")
    found = _parsed(name, text)
    try:
        fields = {} if not isinstance(found, dict) else found
        return Answer.model_validate({**fields, "of": of, "who": who, "what": what, "item": item})
    except ValidationError as error:
        raise BadBundle(f"its {name} cannot be read: {_first(error)}") from None


def _parsed(name: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadBundle(f"its {name} is no JSON") from None


def _first(error: ValidationError) -> str:
    one = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}"


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
