"""Parts that only some installations have: the twin, and what serves over HTTP. A worker needs neither."""

from importlib.util import find_spec
from typing import Literal

from workers.errors import Unusable

Extra = Literal["lab", "gateway", "audit", "report"]
# What each brings along that nothing else imports; pyproject.toml lists the same.
BRINGS: dict[Extra, tuple[str, ...]] = {
    "lab": ("aiohttp", "jwt", "trustme"),
    "audit": ("rfc3161_client",),
    "gateway": ("fastapi", "jinja2", "sse_starlette", "uvicorn"),
    "report": ("jinja2", "matplotlib"),
}
WHAT: dict[Extra, str] = {
    "lab": "the twin",
    "gateway": "what serves over HTTP",
    "audit": "what asks for time stamps",
    "report": "what draws reports",
}


def needs(extra: Extra) -> None:
    """Unusable, with the command that installs it, where this installation has no such part."""
    if missing := [module for module in BRINGS[extra] if not _there(module)]:
        raise Unusable(
            f"{WHAT[extra]} is not installed here: {', '.join(missing)} missing", f"pip install 'quorate[{extra}]'"
        )


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
