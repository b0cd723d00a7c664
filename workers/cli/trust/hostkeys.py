"""Host keys written into a known_hosts file: one line for a host, without the older one if that is for it alone."""

from collections.abc import Sequence

from activities.clients.shown import known_keys
from cluster.trust import SSH, HostKey

Told = tuple[str, int, HostKey]


def written(text: str, keys: Sequence[Told]) -> str:
    """The file with these keys; what stands there for other hosts, and every comment, stays."""
    own = {label(host, port) for host, port, _ in keys}
    kept = [line for line in text.splitlines(keepends=True) if line.split(" ", 1)[0].strip() not in own]
    end = "" if not kept or kept[-1].endswith("\n") else "\n"
    return "".join([*kept, end, *(f"{key.line(host, port)}\n" for host, port, key in keys)])


def left_over(text: str, keys: Sequence[Told]) -> list[str]:
    """Hosts whose older key is still there, hashed or on a line that is for several: how to take it out."""
    return [
        f"{host} has an older key there as well, which is still accepted: "
        f"take it out with ssh-keygen -R '{label(host, port)}'"
        for host, port, key in keys
        if set(known_keys(text, host, port)) - {key.fingerprint}
    ]


def label(host: str, port: int) -> str:
    """How known_hosts names a host."""
    return host if port == SSH else f"[{host}]:{port}"
