"""Certificates that no authority vouches for: pinned where a person says yes to what an endpoint shows, and only then.

The yes is an answer at the terminal, or the fingerprint itself as an option. What an authority vouches for is not asked
about, and a silent endpoint is left to whoever reads from it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import typer

from activities.clients import shown
from activities.clients.secrets import Secrets
from activities.errors import Unreachable, Word
from cluster.inventory import Api, Array
from cluster.trust import Certificate, Trust, of_array
from workers.cli.init.seen import SeenCluster
from workers.cli.options import err
from workers.cli.trust.looking import Endpoint
from workers.cli.trust.page import lines


@dataclass
class Pins:
    """What a person has said yes to: fingerprints, in the inventory's spelling. `ask`: somebody is at a terminal."""

    accepted: set[str]
    ask: bool
    secrets: Secrets
    nodes: dict[str, str] = field(default_factory=dict)

    def of(self, trust: Trust) -> tuple[str, ...]:
        """The fingerprint to know that endpoint by; none where it is recognised without, or nobody says yes."""
        why = _refusal(trust, self.secrets)
        if why is None:
            return ()
        try:
            certificate = shown.certificate(trust)
        except Word:
            return ()
        if certificate.fingerprint in self.accepted or (self.ask and _yes(trust, certificate, why)):
            self.accepted.add(certificate.fingerprint)
            return (certificate.fingerprint,)
        return ()

    def api(self, api: Api, host: str) -> Api:
        """The API with the pin of the node that is asked first."""
        found = self.of(_node("--pve", host, api))
        return api.model_copy(update={"fingerprint": found}) if found else api

    def arrays(self, arrays: Iterable[Array]) -> list[Array]:
        """The arrays, each with its pin where it needs one."""
        return [array.model_copy(update={"fingerprint": self.of(of_array(array))}) for array in arrays]

    def of_nodes(self, api: Api, cluster: SeenCluster) -> Iterator[str]:
        """Notes of nodes that are not recognised; `nodes` has the pins of the others, each node's its own.

        Asked only where the first node was pinned: else its authority vouches for all.
        """
        if not api.fingerprint:
            return
        plain = api.model_copy(update={"fingerprint": ()})
        for name, address in cluster.addresses.items():
            trust = _node(name, address, plain)
            if found := self.of(trust):
                self.nodes[name] = found[0]
            elif why := _refusal(trust, self.secrets):
                yield f"{why.message.partition('; ')[0]}; quorate trust shows it, and pins it after a yes"


def _node(who: str, host: str, api: Api) -> Trust:
    return Trust(kind="node", who=who, host=host, port=api.port, ca=api.ca, fingerprints=api.fingerprint)


def _refusal(trust: Trust, secrets: Secrets) -> Word | None:
    """Why its certificate is not recognised; None where it is, or where nothing answers."""
    why = shown.refusal(trust, secrets)
    return None if isinstance(why, Unreachable) else why


def _yes(trust: Trust, certificate: Certificate, why: Word) -> bool:
    for line in lines([Endpoint(trust, ("",), certificate, refusal=why.message)], []):
        err.print(line, markup=False, highlight=False, soft_wrap=True)
    return typer.confirm(f"Pin {trust.who} to {certificate.fingerprint}?", default=False, err=True)


def named(arrays: Sequence[Array], names: Sequence[str]) -> dict[str, str]:
    """The arrays' pins by the names that they tell themselves."""
    return {name: one.fingerprint[0] for name, one in zip(names, arrays, strict=True) if one.fingerprint}
