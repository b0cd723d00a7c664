"""Addresses as people write them, in one spelling: IPv4, IPv6 with or without brackets, or a host name.

An IPv6 address is kept bare and in its shortest form; brackets stand only where a port follows. What needs them, an
URL, puts them around it by `netloc`.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# The last part of a host name has a letter in it: 10.31.1.300 is an address that is wrong, and no name.
_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?=[A-Za-z0-9-]*[A-Za-z]){_LABEL}")
_PORT = re.compile(r"[0-9]{1,5}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_FORMS = "write an IPv4 address, an IPv6 address or a host name"


def split(address: str) -> tuple[str, int | None]:
    """An address into its host, bare and in one spelling, and its port.

    ValueError names what is wrong and how it should be written.
    """
    if url := _URL.match(address):
        raise ValueError(f"an address is no URL: write {url[1].rpartition('@')[2] or 'the host'} alone")
    if "/" in address:
        raise ValueError(f"an address has no prefix length and no path: write {address.partition('/')[0]} alone")
    if address.startswith("["):
        inside, bracket, rest = address[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address in brackets looks like [fd00::10] or [fd00::10]:443")
        if ":" not in inside:
            raise ValueError(f"brackets are for IPv6 addresses alone: write {inside}{rest}")
        return _host(inside), _port(rest[1:]) if rest else None
    if address.count(":") == 1:
        host, _, port = address.partition(":")
        return _host(host), _port(port)
    return _host(address), None


def is_loopback(address: str) -> bool:
    """Nobody but this machine is meant; a name never counts as that, for it may mean another host tomorrow."""
    try:
        return ip_address(split(address)[0]).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """No name, which may stand for another host tomorrow."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def netloc(address: str) -> str:
    """An address as it stands in an URL, with brackets around IPv6."""
    host, port = split(address)
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def _host(host: str) -> str:
    if ":" not in host and not re.fullmatch(r"[0-9.]+", host):
        if not _NAME.fullmatch(host):
            raise ValueError(f"is neither an address nor a host name: {_FORMS}")
        return host
    try:
        found = ip_address(host)
    except ValueError:
        raise ValueError(f"is no {'IPv6' if ':' in host else 'IPv4'} address: {_FORMS}") from None
    if isinstance(found, IPv6Address) and found.scope_id:
        raise ValueError("a link-local address with a zone means another host from each place: write a routed address")
    plain = found.ipv4_mapped if isinstance(found, IPv6Address) and found.ipv4_mapped else found
    if plain.is_unspecified or plain.is_multicast or plain == IPv4Address("255.255.255.255"):
        raise ValueError("stands for no single host: write the host's own address")
    return str(plain)


def _port(port: str) -> int:
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return int(port)


def _endpoint(value: str) -> str:
    host, port = split(value)
    return host if port is None else netloc(value)


def _address(value: str) -> str:
    host, port = split(value)
    if port is not None:
        raise ValueError(f"this address takes no port: write {host}; ports are set at api.port and ssh.port")
    return host


# A host alone, and a host that may have a port.
_FORM = {"type": "string", "minLength": 1, "pattern": r"^\S+$"}
Address = Annotated[
    str, AfterValidator(_address), WithJsonSchema({**_FORM, "description": "an address or a host name, without a port"})
]
Endpoint = Annotated[
    str,
    AfterValidator(_endpoint),
    WithJsonSchema({**_FORM, "description": "an address or a host name; a port may follow"}),
]
