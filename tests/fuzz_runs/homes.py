"""Where each guest lives, as far as anybody could know: by what people and the world have done, not by the engine."""

from collections.abc import Collection

from tests.fuzz_runs.schedule import Act
from tests.fuzz_runs.stage import Stage


class Homes:
    """The homes of one schedule."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._homes: dict[str, str] = {}
        self._leaving: dict[str, str] = {}
        self._sent: dict[str, str] = {}  # guests that a person has sent to another home
        self._noticed: set[str] = set()  # nodes whose loss an incident is, or was, about
        self._ended: set[str] = set()  # incidents that a person has terminated
        self._unwritten: set[str] = set()  # guests whose homes such an incident had not put on record yet
        self._dark = self._planned = False  # nobody had a quorum for a while; guests are moved by planned work

    def begin(self) -> None:
        """Where they run before the schedule."""
        guests = self._stage.world.cluster.guests.values()
        self._homes = {f"vm:{guest.vmid}": guest.node for guest in guests}

    def away(self) -> dict[str, tuple[str, str]]:
        """Home and place of guests that run elsewhere than an incident knows them to live."""
        return {
            sid: (home, place)
            for sid, home in self._homes.items()
            if home in self._noticed
            and sid not in self._unwritten
            and (place := self._runs_on(sid)) not in (home, self._leaving.get(sid, home), self._sent.get(sid, home), "")
        }

    # --- what people do ----------------------------------------------------------------------------------------

    def acts(self, act: Act) -> None:
        """An act is about to be done: planned work begins, or a node is about to be lost.

        Where HA has started a guest after the dark, unnoticed by any loss, it lives.
        """
        self._planned |= act.verb == "calm" or (act.verb == "start" and act.words[0] != "failback")
        if act.verb != "fail" or act.words[0] not in ("site-power", "node") or not self._dark or self._planned:
            return
        for sid, home in self._homes.items():
            if home not in self._noticed and (place := self._runs_on(sid)):
                self._homes[sid] = place

    def moved(self, sid: str, node: str) -> None:
        """A person has moved that guest: it lives there now, or here still until it has arrived."""
        self._leaving[sid] = self._runs_on(sid)
        self._homes[sid] = node

    def send(self, site: str) -> dict[str, str]:
        """Guests of the other site that a person calls at home at this one: a node for each, in turn.

        They live there as soon as they are commanded to it; a run that comes to nothing gives nobody another home.
        """
        nodes = [node.name for node in self._stage.inventory.site(site).nodes]
        under_ha = self._stage.world.cluster.ha.resources
        elsewhere = sorted(sid for sid, home in self._homes.items() if home not in nodes and sid in under_ha)
        self._sent = {sid: nodes[number % len(nodes)] for number, sid in enumerate(elsewhere[:2])}
        return self._sent

    def commanded(self, sid: str, node: str | None) -> None:
        """A guest is told to move; to where a person has sent it, that is its home from now on."""
        if node is not None and node == self._sent.get(sid):
            self.moved(sid, node)

    def terminated(self, run: str, written: Collection[str]) -> None:
        """A person ends an incident by force; `written` are the guests whose homes are on record."""
        self._ended.add(run)
        nodes = self._nodes_of(run)
        self._unwritten |= {sid for sid, home in self._homes.items() if home in nodes and sid not in written}

    # --- what is seen ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Whether anybody has a quorum."""
        world = self._stage.world
        self._dark |= not any(world.votes(name).quorate for name, host in world.nodes.items() if host.powered)

    def notices(self, run: str) -> None:
        """Who has not been looking while a worker was away cannot know where guests had been."""
        nodes = self._nodes_of(run)
        self._noticed |= nodes
        if run not in self._ended:
            self._unwritten -= {sid for sid, home in self._homes.items() if home in nodes}

    def _nodes_of(self, run: str) -> set[str]:
        """The nodes that an incident is about, as its id says."""
        found: set[str] = set()
        parts = set(run.replace("+", "/").split("/"))
        for site in self._stage.inventory.sites:
            names = {node.name for node in site.nodes}
            found |= names if site.name in parts else names & parts
        return found

    def _runs_on(self, sid: str) -> str:
        guest = self._stage.world.cluster.guests.get(int(sid[3:]))
        return str(guest.node) if guest is not None and guest.running else ""
