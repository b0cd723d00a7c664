"""The process that draws one report for the keeper of records: ``python -m workers.report.child AUDIT RUN FILE``."""

import sys
from pathlib import Path

from workers.errors import Unusable
from workers.report.reading import kept
from workers.report.written import written


def main(audit: str, run: str, to: str) -> int:
    """0 when the report is there; else why not stands in one line on the standard error."""
    try:
        found = kept(Path(audit), run)
        if found is None:
            raise Unusable(f"{audit} holds no record of {run}", "`quorate audit list` shows what it holds")
        written(found.report, Path(to))
    except Unusable as error:
        sys.stderr.write(f"{error.what}: {error.remedy}\n")
        return 1
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error.name} is not installed here: pip install 'quorate[report]'\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or to}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
