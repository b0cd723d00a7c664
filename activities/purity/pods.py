"""What Quorate asks of a FlashArray and changes on it: pods, volumes, hosts and connections.

Nothing is deleted, resized, moved or adopted from someone else here.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.attempt import Changes, look_again_in
from activities.clients import shown
from activities.errors import Conflict, NotFound, NotYet, Refuted, Rejected, Unauthorized
from activities.serving import serves
from cluster.contracts import purity
from cluster.contracts.purity import ArrayFinding, ArrayPair, PodAt, PodFinding, PodWish, StretchFinding, StretchWish
from cluster.doctor import versions
from cluster.nouns import wwn
from cluster.plan import Ledger
from cluster.portals import chosen, unmatched
from cluster.transports import NAMES
from cluster.units import size
from cluster.volumes import wwid_of

if TYPE_CHECKING:
    from activities.clients.purity import Arrays, FlashArray, Item

# Roles that may create pods, hosts and connections.
WRITING_ROLES = ("array_admin", "storage_admin")

# A short stretch is over within seconds, a long one takes hours: look often first, then less.
POLL_FIRST, POLL_LAST = timedelta(milliseconds=250), timedelta(seconds=10)


class Purity:
    """Activities on the arrays of the inventory."""

    def __init__(self, arrays: "Arrays") -> None:
        self._arrays = arrays

    @serves(purity.preflight, no_thread_cancel_exception=True)
    def preflight(self, pair: ArrayPair) -> ArrayFinding:
        """The array answers, the token may write, and the peer is connected for synchronous replication.

        A certificate that ends soon is told, and refuses nothing.
        """
        client = self._arrays[pair.array]
        array = _spoken_to(client)
        if array["name"] != pair.array:
            raise Refuted(
                f"{pair.array}: the array at this address calls itself {array['name']!r}; "
                "correct arrays.address or name"
            )
        if (role := client.role()) not in WRITING_ROLES:
            raise Unauthorized(
                f"{pair.array}: the token's user has the role {role!r}; it needs {' or '.join(WRITING_ROLES)}"
            )
        connection = client.connection(pair.peer)
        if connection is None:
            raise NotFound(
                f"{pair.array}: no array connection to {pair.peer}; connect the arrays (sync-replication) first"
            )
        if connection.get("type") != "sync-replication":
            raise Refuted(
                f"{pair.array}: the connection to {pair.peer} is of type {connection.get('type')!r}; "
                "ActiveCluster needs 'sync-replication'"
            )
        if connection.get("status") != "connected":
            raise Refuted(
                f"{pair.array}: the connection to {pair.peer} is {connection.get('status')!r}, not 'connected'"
            )
        if pair.transport == "fc":
            return _with_fibre(pair, client, array)
        version = str(array.get("version", "unknown"))
        if pair.transport == "nvme-tcp" and (old := versions.too_old_for_nvme(pair.array, version)):
            raise Refuted(old)
        called = NAMES[pair.transport]
        ports = client.targets(pair.transport)
        if not ports:
            raise NotFound(f"{pair.array}: no {called} port is configured")
        offered = tuple(sorted(port["portal"] for port in ports))
        if strange := unmatched(offered, pair.portals):
            raise NotFound(
                f"{pair.array}: arrays.portals has {', '.join(strange)}, which is none of its {called} ports: "
                f"{', '.join(offered)}; correct arrays.portals"
            )
        portals = chosen(offered, pair.portals)
        of_all = f"{len(portals)} of {len(offered)}" if len(portals) < len(offered) else f"{len(portals)}"
        name = {"nqn": ports[0]["nqn"]} if pair.transport == "nvme-tcp" else {"target_iqn": ports[0]["iqn"]}
        return _ready(pair, client, array, f"{of_all} {called} portals", portals=portals, **name)

    @serves(purity.ensure_pod, no_thread_cancel_exception=True)
    def ensure_pod(self, wish: PodWish) -> PodFinding:
        """The pod and its volume exist on the first array, and are ours alone.

        Conflict when the pod is destroyed, holds other volumes, or its volume is of another size or shown to others.
        """
        client, ledger = self._arrays[wish.array], Changes(wish.mode)
        full_name = f"{wish.pod}::{wish.volume}"
        pod = client.pod(wish.pod)
        self._no_strangers(wish, pod)
        if pod is None:
            detail = f"prefers {wish.prefers}" if wish.prefers else ""
            if ledger.intend(wish.array, "create pod", wish.pod, detail, verb="create"):
                client.create_pod(wish.pod, wish.prefers)
        else:
            _not_destroyed(wish.array, "pod", pod)
            self._nobody_elses(client, wish, full_name)
            self._preference(client, ledger, wish, pod)
        volume = client.volume(full_name) if pod is not None else None
        if volume is None:
            if ledger.intend(wish.array, "create volume", full_name, size(wish.size), verb="create"):
                client.create_volume(full_name, wish.size, protected=wish.default_protection)
        else:
            _not_destroyed(wish.array, "volume", volume)
            if volume["provisioned"] != wish.size:
                raise Conflict(
                    f"{wish.array}: volume {full_name} has {size(volume['provisioned'])}, "
                    f"the inventory says {size(wish.size)}; "
                    "Quorate does not resize"
                )
        return self._read_back(client, ledger, wish, full_name)

    def _preference(self, client: "FlashArray", ledger: Ledger, wish: PodWish, pod: "Item") -> None:
        """Which array goes on when they lose each other; what nobody wishes stays as it is."""
        known = _preferred(pod)
        if wish.prefers is None or known == [wish.prefers]:
            return
        detail = f"{wish.prefers}, was {', '.join(known) or 'none'}"
        if ledger.intend(wish.array, "set failover preference", wish.pod, detail, verb="set"):
            client.prefer_on_failover(wish.pod, wish.prefers)

    def _no_strangers(self, wish: PodWish, pod: "Item | None") -> None:
        """No other array is a member, and no array that is to become one has a pod of that name already."""
        members = {array["name"] for array in pod["arrays"]} if pod else set()
        if strangers := sorted(members - wish.groups.keys()):
            raise Conflict(
                f"{wish.array}: pod {wish.pod} is in use by another system, it is stretched to {', '.join(strangers)}; "
                "choose another pod.name"
            )
        for other in sorted(wish.groups.keys() - members - {wish.array}):
            if self._arrays[other].pod(wish.pod) is not None:
                raise Conflict(
                    f"{other}: a pod {wish.pod} exists there that is no copy of {wish.array}'s; choose another pod.name"
                )

    def _nobody_elses(self, client: "FlashArray", wish: PodWish, full_name: str) -> None:
        ours = {full_name.lower(), *(name.lower() for name in wish.beside)}
        others = sorted(v["name"] for v in client.volumes_of(wish.pod) if v["name"].lower() not in ours)
        if others:
            raise Conflict(
                f"{wish.array}: pod {wish.pod} is in use by another system, it holds {', '.join(others)}; "
                "choose another pod.name or remove these volumes by hand"
            )
        for array, group in wish.groups.items():
            foreign = sorted(
                {
                    row["host_group"].get("name") or row["host"]["name"]
                    for row in self._arrays[array].connections()
                    if row["volume"]["name"] == full_name and row["host_group"].get("name") != group
                }
            )
            if foreign:
                raise Conflict(
                    f"{array}: volume {full_name} is in use by another system, it is connected to {', '.join(foreign)}"
                )

    def _read_back(self, client: "FlashArray", ledger: Ledger, wish: PodWish, full_name: str) -> PodFinding:
        volume = client.volume(full_name) if not ledger.only_planned else None
        if volume is None and ledger.applying:
            raise NotYet(f"{wish.array}: volume {full_name} is not listed yet")
        wwid = wwid_of(volume["serial"], wish.transport) if volume else None
        made = "planned" if ledger.only_planned else "created" if ledger.changed else "as the inventory says"
        return PodFinding(
            finding=f"pod {made}, volume of {size(wish.size)}" + (f", WWID {wwid}" if wwid else ""),
            changed=ledger.changed,
            changes=ledger.changes,
            wwid=wwid,
        )

    @serves(purity.ensure_stretched, no_thread_cancel_exception=True)
    def ensure_stretched(self, wish: StretchWish) -> StretchFinding:
        """The pod is stretched and both copies are online, as seen from each array; beats with the progress."""
        ledger = Changes(wish.mode)
        pod = self._arrays[wish.array].pod(wish.pod)
        members = [array["name"] for array in pod["arrays"]] if pod else []
        if wish.to not in members and ledger.intend(
            wish.array, "stretch pod", wish.pod, f"to {wish.to}", verb="extend"
        ):
            self._arrays[wish.array].stretch(wish.pod, wish.to)
        if ledger.only_planned:
            return StretchFinding(finding=f"would be stretched to {wish.to}", changes=ledger.changes)
        status = self._wait_until_online(wish)
        return StretchFinding(
            finding="online on " + " and ".join(status), changed=ledger.changed, changes=ledger.changes, status=status
        )

    def _wait_until_online(self, wish: StretchWish) -> dict[str, str]:
        pause = POLL_FIRST
        while True:
            views = {viewer: self._copies(viewer, wish.pod) for viewer in (wish.array, wish.to)}
            status = {name: _words(copy) for copies in views.values() for name, copy in copies.items()}
            if all(_online(copies) for copies in views.values()):
                return dict.fromkeys(status, "online")
            look_again_in(pause, status)
            pause = min(pause * 1.3, POLL_LAST)

    def _copies(self, viewer: str, pod_name: str) -> dict[str, "Item"]:
        pod = self._arrays[viewer].pod(pod_name)
        return {copy["name"]: copy for copy in pod["arrays"]} if pod else {}

    @serves(purity.pod_state, no_thread_cancel_exception=True)
    def pod_state(self, at: PodAt) -> StretchFinding:
        """Both arrays say the same: both copies online, mediator reached, one serial."""
        serials = set()
        for viewer in at.arrays:
            copies = self._copies(viewer, at.pod)
            bad = [f"{name} {_words(copy)}" for name, copy in copies.items() if not _serves(copy)]
            if bad or len(copies) != 2:
                raise Refuted(f"seen from {viewer}, pod {at.pod} is {', '.join(bad) or 'not stretched'}")
            volume = self._arrays[viewer].volume(f"{at.pod}::{at.volume}")
            serials.add(volume["serial"] if volume else None)
        pod = self._arrays[at.arrays[0]].pod(at.pod) if at.prefers else None
        if pod is not None and (known := _preferred(pod)) != [at.prefers]:
            raise Refuted(
                f"pod {at.pod} prefers {', '.join(known) or 'no array'}, pod.failover_preference says {at.prefers}; "
                "set it: `quorate plan deploy`"
            )
        if len(serials) != 1 or None in serials:
            raise Refuted(f"the arrays name the volume {at.pod}::{at.volume} differently: {serials}")
        return StretchFinding(
            finding="both arrays say: online and online, mediator online", status=dict.fromkeys(at.arrays, "online")
        )


def _ready(pair: ArrayPair, client: "FlashArray", array: "Item", ports: str, **where: Any) -> ArrayFinding:
    """All is well with it; `where` are the fields that say where nodes reach it, and `ports` says it in words."""
    version = str(array.get("version", "unknown"))
    ends = shown.ends_soon(client.trust)
    return ArrayFinding(
        finding="; ".join((f"Purity {version}, {pair.peer} connected for sync replication, {ports}", *ends)),
        mark="warned" if ends else "done",
        version=version,
        **where,
    )


def _with_fibre(pair: ArrayPair, client: "FlashArray", array: "Item") -> ArrayFinding:
    """The ports of Fibre Channel; which of them a node reaches is said by zones."""
    ports = {wwn(str(port["wwn"])): str(port["name"]) for port in client.fc_ports()}
    if not ports:
        raise NotFound(
            f"{pair.array}: no Fibre Channel port is enabled with the service scsi-fc; see: purenetwork fc list"
        )
    named = dict(sorted(ports.items(), key=lambda port: port[1]))
    return _ready(pair, client, array, f"{len(ports)} Fibre Channel ports", wwns=named)


def _not_destroyed(array: str, kind: str, item: "Item") -> None:
    if item.get("destroyed"):
        raise Conflict(
            f"{array}: {kind} {item['name']} is destroyed and keeps its name until it is eradicated; "
            "recover it by hand or choose another name"
        )


def _preferred(pod: "Item") -> list[str]:
    return [array["name"] for array in pod.get("failover_preferences") or []]


def _online(copies: dict[str, "Item"]) -> bool:
    return len(copies) == 2 and all(_serves(copy) for copy in copies.values())


def _serves(copy: "Item") -> bool:
    return (
        copy.get("status") == "online"
        and copy.get("mediator_status", "online") == "online"
        and copy.get("frozen_at") is None
    )


def _words(copy: "Item") -> str:
    status = str(copy.get("status"))
    progress = copy.get("progress")
    text = f"{status} {progress:.0%}" if status == "resyncing" and progress is not None else status
    mediator = copy.get("mediator_status", "online")
    return text if mediator == "online" else f"{text}, mediator {mediator}"


def _spoken_to(client: "FlashArray") -> "Item":
    """The array itself; Refuted, with the levels that it speaks, where ours is none of them."""
    try:
        return client.array()
    except (NotFound, Rejected):
        levels, _ = client.levels()
        judged = versions.rest(client.name, levels, "", client.speaks)
        if judged.state == "wrong":
            raise Refuted(f"{client.name}: {judged.evidence}; {judged.remedy}") from None
        raise
