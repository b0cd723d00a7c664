"""The vantage points of a cluster, each asked on its own: one that hangs, fails or lies harms nobody else.

A node is asked twice, over SSH for what its corosync counts and over HTTPS for what its API says: two daemons, two
ways. The witness, both arrays and the management controllers are asked for their own view. Nothing is changed here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.clients.quick import LIMIT, Clients
from activities.parsing.links import parse_links
from activities.parsing.looks import array_view, cluster_view, pods_view, votes_view
from activities.parsing.totem import parse_milliseconds
from activities.parsing.votes import parse_votes
from activities.parsing.witness import parse_clients
from activities.watch.sight import Sight
from cluster.facts import (
    WITNESS,
    ArrayLook,
    ClusterLook,
    Facts,
    Links,
    Look,
    PowerLook,
    Totem,
    VotesLook,
    WitnessLook,
)
from cluster.inventory import Bmc, Inventory, Site
from cluster.portals import chosen
from cluster.transports import alike, initiator_of, initiators

if TYPE_CHECKING:
    from activities.clients.purity import Item

# Corosync's links are asked for so seldom while the members stay the same: they tell nothing that is urgent.
LINKS_EVERY = timedelta(minutes=1)
# Seconds that a machine has to answer in a rehearsal, however fast its time runs: the computer that plays all of them
# may have other work.
REHEARSED = 1.0
# Seconds that who judges once waits for the token's rights, once the view is there.
RIGHTS_WITHIN = 1.0
# What is down at one node may be back in a moment, and the others may not have been asked since.
LINKS_AGAIN = timedelta(seconds=5)


class Vantage:
    """One vantage point: how it is asked, and what it said last."""

    def __init__(self, empty: Look, limit: float, ask: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._empty, self._limit, self._ask = empty, limit, ask
        self._task: asyncio.Task[None] | None = None
        self.asked: datetime | None = None
        self.latest: Look | None = None
        self._silent_since: datetime | None = None

    @property
    def kind(self) -> type[Look]:
        """Which of the views it gives."""
        return type(self._empty)

    @property
    def name(self) -> str:
        """Whose view it is."""
        return self._empty.by

    def ask(self) -> asyncio.Task[None]:
        """Begin to ask, unless an answer is still awaited."""
        if self._task is None or self._task.done():
            self.asked = datetime.now(UTC)
            self._task = asyncio.create_task(self._answered())
        return self._task

    def due(self, every: timedelta, now: datetime) -> bool:
        """It was asked longer ago than this."""
        return self.asked is None or now - self.asked >= every

    def silent_for(self, now: datetime) -> timedelta:
        """How long it has said nothing; zero while it answers."""
        return now - self._silent_since if self._silent_since else timedelta()

    def drop(self) -> None:
        """Nobody waits for it any more."""
        if self._task is not None:
            self._task.cancel()

    async def _answered(self) -> None:
        started = datetime.now(UTC)
        silent = ""
        try:
            # the first answer needs a login, and in a young process the vendor's library
            async with asyncio.timeout(self._limit if self.latest else max(LIMIT, self._limit)):
                found = self._made(started, await self._ask())
        except TimeoutError:
            silent = f"no answer in {self._limit:g} s"
        except ApplicationError as error:
            silent = f"{error.type}: {error.message}"
        except Exception as error:  # whatever shape it has: yesterday's answer would be worse
            silent = f"an answer that cannot be read: {type(error).__name__}: {error}"
        if silent:
            found = self._made(started, {"silent": " ".join(silent.split())[:200]})
        self.latest = found
        self._silent_since = (self._silent_since or started) if silent else None

    def _made(self, started: datetime, said: dict[str, Any]) -> Look:
        """The look, at the time when it was asked: what it says was true at some time since then."""
        base = {"by": self._empty.by, "how": self._empty.how, "domain": self._empty.domain}
        return self.kind.model_validate({**base, "at": started, "took": datetime.now(UTC) - started, **said})


class Vantages:
    """All vantage points of one cluster, as they are asked from `place`.

    `speed` is how much faster than the wall a rehearsal's time runs. `patient`: a machine may answer as slowly in a
    rehearsal as in the world; for who judges once and does not watch.
    """

    def __init__(
        self, inventory: Inventory, clients: Clients, place: str = "", speed: float = 1.0, *, patient: bool = False
    ) -> None:
        self._inventory, self._clients, self._place, self._speed = inventory, clients, place, speed
        # a rehearsal's time runs faster, but no machine answers faster for that
        self._limit = LIMIT if patient else max(REHEARSED, LIMIT / speed)
        self._portals: dict[str, list[Item]] = {}
        self._met: dict[str, set[str]] = {}
        self._links: dict[str, tuple[datetime, set[int], Links | None]] = {}
        self._patient = patient
        self._sight = Sight(clients, speed)
        epoch = datetime.now(UTC)
        self.all: list[Vantage] = []
        for stands in inventory.places:
            for node in stands.nodes:
                base = {"by": node.name, "domain": stands.name, "at": epoch}
                self._add(VotesLook(how="ssh", **base), self._votes(node.name))
                self._add(ClusterLook(how="api", **base), self._cluster(node.name))
                if node.bmc is not None:
                    slow = node.bmc.answers_within
                    self._add(PowerLook(how="bmc", **base), self._power(node.bmc), slow.total_seconds() / speed)
            if isinstance(stands, Site):
                base = {"by": stands.array, "domain": stands.name, "at": epoch}
                self._add(ArrayLook(how="api", **base), self._array(stands.array))
        if inventory.witness:
            witness = inventory.witness.name
            self._add(WitnessLook(by=witness, how="ssh", domain=WITNESS, at=epoch), self._witness(witness))

    def _add(self, empty: Look, ask: Callable[[], Awaitable[dict[str, Any]]], limit: float = 0.0) -> None:
        self.all.append(Vantage(empty, max(self._limit, limit), ask))

    def of(self, kind: type[Look], *names: str) -> list[Vantage]:
        """Those of one kind, all or by name."""
        return [one for one in self.all if one.kind is kind and (not names or one.name in names)]

    def facts(self) -> Facts:
        """The newest look of each."""
        newest = [one.latest for one in self.all if one.latest is not None]
        return Facts(
            at=datetime.now(UTC),
            place=self._place,
            speed=self._speed,
            votes={look.by: look for look in newest if isinstance(look, VotesLook)},
            cluster={look.by: look for look in newest if isinstance(look, ClusterLook)},
            witness=next((look for look in newest if isinstance(look, WitnessLook)), None),
            arrays={look.by: look for look in newest if isinstance(look, ArrayLook)},
            power={look.by: look for look in newest if isinstance(look, PowerLook)},
        )

    async def totem(self, node: str) -> Totem:
        """Corosync's own times, from one node."""
        keys = ("runtime.config.totem.token", "runtime.config.totem.consensus")
        texts = [await self._clients.ssh.read(node, "corosync-cmapctl", "-g", key, limit=self._limit) for key in keys]
        token, consensus = (parse_milliseconds(text) for text in texts)
        return Totem(token=token, consensus=consensus)

    # --- how each is asked -------------------------------------------------------------------------------------

    def _votes(self, node: str) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def ask() -> dict[str, Any]:
            # the command gives up first, and with it the connection that may be dead
            answer = await self._clients.ssh.run(node, "pvecm", "status", limit=self._limit * 0.9)
            found = parse_votes(answer.stdout)  # without quorum the command ends with 2 and says all the same
            members = {member.node_id for member in found.members}
            return votes_view(found) | {"links": await self._links_of(node, members)}

        return ask

    async def _links_of(self, node: str, members: set[int]) -> Links | None:
        """Corosync's own links, as they were told lately; what cannot be told makes no silence of the votes."""
        now = datetime.now(UTC)
        asked, known, links = self._links.get(node, (None, set(), None))
        # where a link is at fault is told by all of its ends
        troubled = any(told is not None and told.down for *_, told in self._links.values())
        every = LINKS_AGAIN if troubled else LINKS_EVERY
        if asked is not None and known == members and (now - asked) * self._speed < every:
            return links
        try:
            text = await self._clients.ssh.read(node, "corosync-cfgtool", "-s", limit=self._limit * 0.5)
            found = parse_links(text)
            links = Links(links=found.links, ways=found.total, down=found.disconnected)
        except ApplicationError:
            links = None
        self._links[node] = (now, members, links)
        return links

    def _cluster(self, node: str) -> Callable[[], Awaitable[dict[str, Any]]]:
        def read() -> dict[str, Any]:
            api = self._clients.api
            return cluster_view(
                api.get("cluster/status", node=node),
                api.get("cluster/ha/status/manager_status", node=node),
                api.get("cluster/resources", node=node),
                tuple(storage.id for storage in self._inventory.all_storages),
                api.get("cluster/ha/status/current", node=node),
            )

        async def ask() -> dict[str, Any]:
            asked = self._sight.ask(node)
            view = await self._clients.threaded(read)
            if self._patient:
                await asyncio.wait([asked], timeout=RIGHTS_WITHIN)
            rests, veiled = "maintenance" in view["node_states"].values(), self._sight.veiled
            return view | {"sees_all": rests and veiled == "", "veiled": veiled}

        return ask

    def drop(self) -> None:
        """Nobody waits for any of them any more."""
        for vantage in self.all:
            vantage.drop()
        self._sight.drop()

    def _witness(self, host: str) -> Callable[[], Awaitable[dict[str, Any]]]:
        cluster = self._inventory.name

        async def ask() -> dict[str, Any]:
            command = ("corosync-qnetd-tool", "-l", "-c", cluster)
            text = await self._clients.ssh.read(host, *command, limit=self._limit * 0.9)
            return {"clients": parse_clients(text, cluster)}

        return ask

    def _array(self, name: str) -> Callable[[], Awaitable[dict[str, Any]]]:
        def ask() -> dict[str, Any]:
            array = self._clients.arrays[name]
            link = array.connection(self._inventory.peer(name).name)
            transport = self._inventory.transport
            ours = {alike(one): node.name for node in self._inventory.nodes for one in initiators(node, transport)}
            if not self._portals.get(name):  # nobody adds a port while a watch looks
                wanted = self._inventory.array(name).portals
                self._portals[name] = (
                    array.fc_ports()
                    if transport == "fc"
                    else [one for one in array.targets(transport) if chosen((one["portal"],), wanted)]
                )
            pods = {one.name: array.pod(one.name) for one in self._inventory.all_pods}
            logins, ports = array.initiators(), self._portals[name]
            if transport == "fc":
                ports = self._zoned(name, logins, ours)
            view = array_view(next(iter(pods.values())), link, logins, ports, ours)
            return view | (pods_view(pods) if len(pods) > 1 else {})

        return lambda: self._clients.threaded(ask)

    def _zoned(self, name: str, logins: "list[Item]", ours: dict[str, str]) -> "list[Item]":
        """The ports at which a node of ours is, or was while we look: zones give the others to somebody else."""
        met = self._met.setdefault(name, set())
        met |= {str((row.get("target") or {}).get("name")) for row in logins if initiator_of(row) in ours}
        return [one for one in self._portals[name] if one["name"] in met] or self._portals[name]

    def _power(self, bmc: Bmc) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def ask() -> dict[str, Any]:
            return {"on": await self._clients.threaded(lambda: self._clients.power(bmc))}

        return ask


async def storage_and_power(inventory: Inventory, clients: Clients, speed: float, nodes: Sequence[str]) -> Facts:
    """Both arrays, and the management controllers of these nodes, asked at this moment."""
    vantages = Vantages(inventory, clients, speed=speed)
    await asyncio.wait([one.ask() for one in (*vantages.of(ArrayLook), *(vantages.of(PowerLook, *nodes)))])
    return vantages.facts()


@contextlib.contextmanager
def asking(
    inventory: Inventory, clients: Clients, place: str, speed: float, *, patient: bool = False
) -> Iterator[Vantages]:
    """Vantage points, and nobody left waiting for them."""
    vantages = Vantages(inventory, clients, place, speed, patient=patient)
    try:
        yield vantages
    finally:
        vantages.drop()
