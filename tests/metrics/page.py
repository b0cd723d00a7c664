"""The table of docs/metrics.md, from the code: `python -m tests.metrics.page`."""

from cluster.metrics import TABLE
from tests.rooms import ROOT

DOCS = ROOT / "docs" / "metrics.md"
BEGIN, END = "<!-- the metrics: python -m tests.metrics.page -->", "<!-- end of the metrics -->"
SOURCES = {
    "run": "Runs, while they work",
    "look": "The look of the watch",
    "survey": "Every worker's survey: what is so now",
    "gateway": "The event gateway",
    "process": "Every process",
}


def table() -> str:
    """In parts, by who tells it."""
    lines = []
    for source, title in SOURCES.items():
        lines += [f"### {title}", "", "| Metric | Kind | Labels | What it says |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.says} |"
            for one in TABLE
            if one.source == source
        ]
        lines.append("")
    return "\n".join(lines).strip()


def main() -> None:
    """Write it."""
    text = DOCS.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    DOCS.write_text(f"{before}\n\n{table()}\n\n{after}")


if __name__ == "__main__":
    main()
