"""OpenSSH, sha256sum and jq alone check a folder of records, by the commands that docs/audit.md shows."""

import random
import re
import subprocess
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cluster.audit.head import SIGNERS, Anchor
from tests.audit.chains import CHAIN, LINES, Change, Folder, kept, written

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
# What no head that is there speaks of: the end of the chain, dropped. For that there is the file elsewhere.
CUT_OFF = {"the_end_dropped", "a_head_dropped", "a_run_dropped_with_its_heads"}


def commands(which: str) -> str:
    """The block of commands that follows this remark in the docs."""
    found = re.search(rf"<!-- {which}: [^>]*-->\n\n```bash\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


def run(script: str, place: Path, **environment: str) -> CompletedProcess[str]:
    """In the folder of records, as a person types it; it stops where a command fails."""
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=place,
        env=path | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, list[Anchor]]:
    """Four records and their heads, with the list of signers; and what was told outside."""
    place = tmp_path_factory.mktemp("audit")
    folder, anchors = kept(place)
    return folder | {SIGNERS: (place / SIGNERS).read_bytes()}, anchors


@pytest.fixture
def elsewhere(audit: tuple[Folder, list[Anchor]], tmp_path: Path) -> Path:
    """The file on another machine."""
    path = tmp_path / "told.jsonl"
    path.write_bytes(b"".join(one.canonical for one in audit[1]))
    return path


def test_three_commands_find_a_whole_folder_whole(audit: tuple[Folder, list[Anchor]], elsewhere: Path, tmp_path: Path):
    """They say nothing where nothing is wrong."""
    place = written(audit[0], tmp_path / "audit")

    three = run(commands("the three commands"), place)
    told = run(commands("the file elsewhere"), place, QUORATE_AUDIT_FILE=str(elsewhere))

    assert (three.returncode, three.stdout, three.stderr) == (0, "", "")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.parametrize("change", [*LINES, *CHAIN], ids=lambda change: change.__name__)
def test_they_find_each_kind_of_change(
    audit: tuple[Folder, list[Anchor]], elsewhere: Path, tmp_path: Path, change: Change
):
    """Two of each kind; the end of the chain by the file elsewhere."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    script = commands("the three commands") + commands("the file elsewhere") * (change.__name__ in CUT_OFF)

    for number in range(2):
        copy = dict(audit[0])
        said = change(copy, chance)
        place = written(copy, tmp_path / f"changed-{number}")
        done = run(script, place, QUORATE_AUDIT_FILE=str(elsewhere))
        assert done.returncode != 0, said
