"""Which of an array's iSCSI ports the nodes use. Pure.

An array has ports for other networks, other hypervisors and for nothing at all: a port without a cable answers nobody,
and a login to it takes two minutes to fail. So the inventory may choose: `arrays.portals`, a list of addresses or
networks. Without it all ports are used.
"""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator

from cluster.addresses import split

# Where iSCSI targets listen, unless they say otherwise (RFC 7143).
ISCSI = 3260
_FORMS = "write an address (10.22.1.1), one with a port (10.22.1.1:3260) or a network (10.22.1.0/24)"


def _range(value: str) -> str:
    if "/" in value:
        try:
            network = ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"is no network: {_FORMS}") from None
        if str(network.network_address) != value.partition("/")[0].lower():
            raise ValueError(f"is an address within a network: write {network}, or the address alone")
        return str(network)
    try:
        host = split(value)[0]
        ip_address(host)
    except ValueError:
        raise ValueError(f"is no address of a portal: {_FORMS}") from None
    return value


PortalRange = Annotated[str, AfterValidator(_range)]


def host_and_port(portal: str) -> tuple[str, int]:
    """A portal taken apart, the host bare: ``[fd00::1]:3260`` is ``fd00::1`` and 3260."""
    host, port = split(portal)
    return host, port or ISCSI


def chosen(offered: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The offered portals that are wanted, in their order; all of them where nothing is said."""
    return tuple(portal for portal in offered if not wanted or any(_within(portal, one) for one in wanted))


def unmatched(offered: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """What is wanted and fits no portal that the array offers."""
    return tuple(one for one in wanted if not any(_within(portal, one) for portal in offered))


def _within(portal: str, wanted: str) -> bool:
    host, port = host_and_port(portal)
    address = ip_address(host)
    if "/" in wanted:
        return address in ip_network(wanted)  # one of the other family is not, and no error
    named, at = split(wanted)
    return address == ip_address(named) and at in (None, port)
