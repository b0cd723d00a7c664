"""dm-multipath on a node, whatever transport its paths come by: what it goes by, what it maps, what it notes.

What multipathd goes by is judged first: nothing is changed on a node whose settings would do harm. Nothing is
overwritten here but the files that carry our name.
"""

from typing import TYPE_CHECKING

from activities.errors import Refuted
from activities.hosts import initiator
from activities.hosts.maps import map_of
from activities.parsing.multipath import Map
from cluster.booting import Boot
from cluster.contracts.hosts import PathsWish
from cluster.multipathing import CONF, blacklisted, followed_for, harmful, settings_of
from cluster.plan import Ledger
from cluster.tuning import RULES, RULES_FILE, differs

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts


class Multipath:
    """The maps of nodes, and the settings that they depend on."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh = ssh

    async def map_of(self, wish: PathsWish) -> Map | None:
        """The map of the wished volume; None where there is none yet."""
        return await map_of(self._ssh, wish.node, wish.wwid) if wish.wwid else None

    async def settle(self, ledger: Ledger, wish: PathsWish) -> None:
        """What multipathd goes by does no harm; where the inventory says so, it is told what counts for the volume."""
        if wish.multipath == "set" and not wish.emergency:
            text = settings_of(*sorted((wish.wwid, *wish.beside))) if wish.wwid else ""
            stands = await self._stands(wish.node, CONF, text)
            # an attempt may have ended between the file and the daemon that reads it
            followed = stands and followed_for(await initiator.config(self._ssh, wish.node), wish.wwid)
            if not followed and ledger.intend(wish.node, "set multipath settings", CONF, verb="set"):
                if not stands:
                    await self._write(wish.node, CONF, text)
                await self._ssh.read(wish.node, "multipathd", "reconfigure")
        if (wish.multipath == "check" or not ledger.only_planned) and (wrong := await self._harm(wish)):
            raise Refuted(f"{wish.node}: {'; '.join(wrong)}")

    async def bring_up(self, wish: PathsWish) -> None:
        """Make the map of block devices that are there."""
        # Proxmox VE's multipath maps only what was named (find_multipaths strict).
        await self._ssh.read(wish.node, "multipath", "-a", str(wish.wwid))
        await self._ssh.read(wish.node, "multipath", "-r")

    async def keep(self, ledger: Ledger, wish: PathsWish, boot: Boot) -> None:
        """Units and WWIDs that bring the map back after a boot."""
        for unit in boot.disabled:
            if ledger.intend(wish.node, "enable unit", unit, verb="enable"):
                await self._ssh.read(wish.node, "systemctl", "enable", unit)
        mapped = any(one.what == "map multipath device" for one in ledger.changes)
        known = wish.wwid is None or wish.wwid in boot.wwids or mapped
        if not known and ledger.intend(wish.node, "add multipath WWID", str(wish.wwid), verb="add"):
            await self._ssh.read(wish.node, "multipath", "-a", str(wish.wwid))

    async def tune(self, ledger: Ledger, wish: PathsWish) -> None:
        """The vendor's settings by a rule of udev, where the inventory says so: they hold for disks to come."""
        node = wish.node
        if wish.emergency or wish.tuning != "set" or await self._stands(node, RULES_FILE, RULES):
            return
        if ledger.intend(node, "set disk settings", RULES_FILE, verb="set"):
            await self._write(node, RULES_FILE, RULES)
            await self._ssh.read(node, "udevadm", "control", "--reload")
            await self._ssh.read(node, "udevadm", "trigger", "--action=change", "--subsystem-match=block")
            await self._ssh.read(node, "udevadm", "settle", "--timeout=10")

    async def remark(self, wish: PathsWish, found: Map | None) -> str:
        """What the vendor recommends otherwise, which is no fault."""
        disks = sorted(path.removeprefix("/dev/") for path in found.disks) if found else []
        said = differs(await initiator.disk_settings(self._ssh, wish.node, disks))
        return f"; the vendor recommends other settings: {said}" if said else ""

    async def _harm(self, wish: PathsWish) -> tuple[str, ...]:
        config = await initiator.config(self._ssh, wish.node)
        if wish.emergency:  # a node without paths hangs already: it is not made worse by getting them back
            return tuple(filter(None, (blacklisted(config, wish.wwid),)))
        return harmful(config, wish.wwid)

    async def _stands(self, node: str, path: str, text: str) -> bool:
        """Whether a file of ours is there already; one that cannot be written yet is not."""
        there = await self._ssh.run(node, "cat", path)
        return bool(text) and there.ok and there.stdout == text

    async def _write(self, node: str, path: str, text: str) -> None:
        await self._ssh.read(node, "mkdir", "-p", path.rpartition("/")[0])
        await self._ssh.write(node, path, text)
