"""One FlashArray through py-pure-client, and what its errors mean.

The SDK blocks and its re-login is not safe between threads, so an array is spoken to by one thread at a time.
Its answers are turned into plain dictionaries here; nobody above sees an SDK type.
"""

import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
from pypureclient import flasharray
from pypureclient._transport import rest
from pypureclient.configuration import Configuration
from pypureclient.exceptions import PureError
from pypureclient.flasharray.FA_2_44 import models

from activities import tracing
from activities.clients.purity_answers import Answers, refusal
from activities.clients.secrets import Secrets
from activities.clients.tls import pool, refused
from activities.errors import NotFound, Rejected, Unreachable, Word
from cluster.addresses import netloc
from cluster.inventory import Array
from cluster.transports import HostField, Transport
from cluster.trust import Trust, of_array

# Purity 6.9.x serves at most about 2.43 to 2.46 (reference: flasharray-rest §1).
REST_VERSION = "2.44"
CONNECT_TIMEOUT, READ_TIMEOUT = 3.0, 15.0

# What the SDK's methods begin with.
VERBS = {"get": "GET", "post": "POST", "patch": "PATCH", "put": "PUT", "delete": "DELETE"}

Item = dict[str, Any]


class _Recognised:
    """What an SDK's configuration carries to its transport: urllib3's arguments. The SDK copies its configuration."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments

    def __deepcopy__(self, memo: Any) -> "_Recognised":
        """A context cannot be copied, and must not change."""
        return self


class _Transport(rest.RESTClientObject):
    """The SDK's own, which offers no way to hand urllib3 a context. Without this class a pinned array is refused."""

    def __init__(self, configuration: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(configuration, *args, **kwargs)
        if recognised := getattr(configuration, "recognised", None):
            self.pool_manager.connection_pool_kw.update(recognised.arguments)


rest.RESTClientObject = _Transport  # type: ignore[misc]  # the SDK makes its transport by that name alone


class FlashArray:
    """One array. Every call may raise one of the seven words, and nothing else."""

    def __init__(self, array: Array, secrets: Secrets, read_timeout: float | None = None) -> None:
        self._read_timeout = read_timeout
        self.name = array.name
        self._array, self._trust = array, of_array(array)
        self._secrets = secrets
        self._lock = threading.Lock()
        self._client: Any = None
        self._user = ""  # whose token it is, known after the first login

    @property
    def trust(self) -> Trust:
        """By what the array is recognised."""
        return self._trust

    @property
    def speaks(self) -> str:
        """The level of REST that this client speaks."""
        return REST_VERSION

    def levels(self) -> tuple[tuple[str, ...], timedelta | None]:
        """The levels of REST that the array speaks, and how far its clock is ahead of this one; no token is shown.

        The time is that of the answer's head, to the second; None where it has none.
        """
        trusted = pool(self._trust, self._secrets)
        limit = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=self._read_timeout or READ_TIMEOUT)
        url = f"https://{netloc(self._array.address)}/api/api_version"
        with tracing.request("GET", self._array.address, "/api/api_version"):
            try:
                with urllib3.PoolManager(timeout=limit, retries=Answers.of(self._array), **trusted) as once:
                    answer = once.request("GET", url)
            except Word:
                raise
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise self._silence(error) from None
            return tuple(map(str, answer.json().get("version") or ())), _ahead(answer.headers.get("Date"))

    def _connected(self) -> Any:
        if self._client is None:
            trusted = pool(self._trust, self._secrets)
            self._user = self._introduce(trusted)
            configuration: Any = Configuration()
            configuration.verify_ssl = True
            configuration.recognised = _Recognised(trusted)
            configuration.retries = Answers.of(self._array)
            self._client = flasharray.Client(
                netloc(self._array.address),
                version=REST_VERSION,
                api_token=self._secrets.token(self._array.api_token),
                timeout=(CONNECT_TIMEOUT, self._read_timeout or READ_TIMEOUT),
                retries=1,  # one new login when the session has expired
                user_agent="quorate",
                configuration=configuration,
            )
        return self._client

    def _introduce(self, trusted: dict[str, Any]) -> str:
        """Log in once by hand and out again: the SDK hides why an array cannot be spoken to, and whose token it is."""
        base = f"https://{netloc(self._array.address)}/api/{REST_VERSION}"
        limit = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=self._read_timeout or READ_TIMEOUT)
        headers = {"Content-Type": "application/json", "X-Request-ID": str(uuid.uuid4())}
        token = {"api-token": self._secrets.token(self._array.api_token)}
        with urllib3.PoolManager(timeout=limit, retries=Answers.of(self._array), **trusted) as once:
            answer = once.request("POST", f"{base}/login", headers={**headers, **token})
            session = {"x-auth-token": answer.headers["x-auth-token"]}
            once.request("POST", f"{base}/logout", headers={**headers, **session})
            users: list[Item] = answer.json()["items"]
            return str(users[0].get("username", "")) if users else ""

    def _call(self, method: str, **arguments: Any) -> list[Item]:
        """One SDK call: its items as dictionaries. A span, of which the SDK's last answer tells method and path."""
        with self._lock, tracing.request(VERBS.get(method.partition("_")[0], "GET"), self._array.address):
            return self._items(method, arguments)

    def _items(self, method: str, arguments: dict[str, Any]) -> list[Item]:
        """What it comes to. The one place where the SDK's errors are met."""
        try:
            answer = getattr(self._connected(), method)(**arguments)
            if answer.status_code == 200:
                return [item.to_dict() for item in answer.items or ()]
        except PureError as error:
            # What goes wrong around a call, and on a later page, comes as text; the token is not part of it.
            raise self._distrusted(error) or Unreachable(f"{self.name}: {str(error)[:300]}") from None
        except urllib3.exceptions.HTTPError as error:
            raise self._silence(error) from None
        except ValueError as error:
            raise Rejected(f"{self.name}: {error}") from None
        except OSError as error:
            raise self._silence(error) from None
        first = answer.errors[0] if answer.errors else None
        raise refusal(
            self.name, answer.status_code, getattr(first, "message", None) or "", getattr(first, "context", None)
        )

    def _distrusted(self, error: Exception) -> Word | None:
        """What is wrong with the array's certificate; then the file of its signer is read anew by the next call."""
        if found := refused(self._trust, error):
            self._client = None
        return found

    def _silence(self, error: Exception) -> Word:
        """No answer at all: a wrong certificate is a matter of trust, anything else may pass."""
        reason = getattr(error, "reason", None) or error
        text = str(reason).rsplit(": ", 1)[-1][:200]
        return self._distrusted(error) or Unreachable(f"{self.name} at {self._array.address} does not answer: {text}")

    def _one(self, method: str, name: str, **arguments: Any) -> Item | None:
        """The object of that name; None when there is none, which Purity says with a 400."""
        try:
            items = self._call(method, names=[name], **arguments)
        except NotFound:
            return None
        return items[0] if items else None

    # --- the array and its neighbours --------------------------------------------------------------------------

    def array(self) -> Item:
        """Name, id, Purity version."""
        return self._call("get_arrays")[0]

    def role(self) -> str:
        """The role of the token's user: ``array_admin``, ``storage_admin`` or a lesser one."""
        self.array()  # whose token it is, is known after the first login
        admin = next(iter(self._call("get_admins", names=[self._user])), {})
        return str((admin.get("role") or {}).get("name", "unknown"))

    def connection(self, peer: str) -> Item | None:
        """The array connection to `peer`."""
        return self._one("get_array_connections", peer)

    def portals(self) -> list[Item]:
        """ISCSI target ports: `portal` and `iqn`."""
        return [port for port in self._call("get_ports") if port.get("iqn") and port.get("portal")]

    def nvme_portals(self) -> list[Item]:
        """NVMe/TCP ports: `portal` and `nqn`. A port of NVMe over another network has none, or another service."""
        tcp = {str(one["name"]).upper() for one in self.interfaces() if "nvme-tcp" in (one.get("services") or ())}
        ports = [port for port in self._call("get_ports") if port.get("nqn") and port.get("portal")]
        return [port for port in ports if str(port["name"]).upper() in tcp]

    def targets(self, transport: Transport) -> list[Item]:
        """The ports with addresses of that transport."""
        return self.nvme_portals() if transport == "nvme-tcp" else self.portals()

    def fc_ports(self) -> list[Item]:
        """Fibre Channel ports that serve SCSI: `name` and `wwn`. NVMe/FC and replication are other services."""
        serving = {
            str(one["name"]).upper()
            for one in self.interfaces()
            if one.get("enabled") and "scsi-fc" in (one.get("services") or ())
        }
        ports = [port for port in self._call("get_ports") if port.get("wwn")]
        return [port for port in ports if str(port.get("name")).upper() in serving]

    def interfaces(self) -> list[Item]:
        """Network interfaces with their addresses and services."""
        return self._call("get_network_interfaces")

    def initiators(self) -> list[Item]:
        """Who is logged in at which port: `initiator` and `target`, one row each."""
        return self._call("get_ports_initiators")

    # --- pods and volumes --------------------------------------------------------------------------------------

    def pod(self, name: str) -> Item | None:
        """A pod, destroyed or not."""
        return self._one("get_pods", name)

    def pods(self) -> list[Item]:
        """All pods of this array that are not destroyed."""
        return self._call("get_pods", destroyed=False)

    def create_pod(self, name: str, prefers: str | None = None) -> None:
        """Make an empty pod on this array; `prefers` is the array that goes on when two of them lose each other."""
        wish = {"failover_preferences": [models.Reference(name=prefers)]} if prefers else {}
        self._call("post_pods", names=[name], pod=models.PodPost(**wish))

    def prefer_on_failover(self, pod: str, array: str) -> None:
        """Set which array goes on when a pod's arrays lose each other."""
        self._call("patch_pods", names=[pod], pod=models.PodPatch(failover_preferences=[models.Reference(name=array)]))

    def stretch(self, pod: str, array: str) -> None:
        """Add an array to a pod; it answers at once, the copy goes on."""
        self._call("post_pods_members", pod_names=[pod], member_names=[array])

    def volume(self, name: str) -> Item | None:
        """A volume, destroyed or not."""
        return self._one("get_volumes", name)

    def volumes_of(self, pod: str) -> list[Item]:
        """All volumes of a pod that are not destroyed."""
        return self._call("get_volumes", filter=f"pod.name='{pod}'", destroyed=False)

    def create_volume(self, name: str, size: int, *, protected: bool = True) -> None:
        """Make a volume of `size` bytes, with the array's default protection unless it is not to have that."""
        opted_out = {} if protected else {"with_default_protection": False}
        self._call("post_volumes", names=[name], volume=models.VolumePost(provisioned=size), **opted_out)

    # --- hosts and connections ---------------------------------------------------------------------------------

    def hosts(self) -> list[Item]:
        """The array's own hosts; the peer's rows (``peer:host``) are left out."""
        return [host for host in self._call("get_hosts") if host.get("is_local", True) and ":" not in host["name"]]

    def create_host(self, name: str, initiators: Sequence[str], preferred: str, kind: HostField = "iqns") -> None:
        """Make a host with initiators of one kind; its paths are optimized through `preferred`."""
        wish: Any = {kind: list(initiators)}
        host = models.HostPost(**wish, preferred_arrays=[models.Reference(name=preferred)])
        self._call("post_hosts", names=[name], host=host)

    def prefer(self, name: str, preferred: str) -> None:
        """Set a host's preferred array."""
        host = models.HostPatch(preferred_arrays=[models.Reference(name=preferred)])
        self._call("patch_hosts", names=[name], host=host)

    def introduce(self, name: str, user: str, password: str) -> None:
        """Ask a host for CHAP with that user from its next login on; `password` refers to the secret."""
        chap = models.Chap(host_user=user, host_password=self._secrets.outgoing(password))
        self._call("patch_hosts", names=[name], host=models.HostPatch(chap=chap))

    def add_initiators(self, name: str, initiators: Sequence[str], kind: HostField = "iqns") -> None:
        """Add initiators of one kind to a host."""
        wish: Any = {f"add_{kind}": list(initiators)}
        self._call("patch_hosts", names=[name], host=models.HostPatch(**wish))

    def host_group(self, name: str) -> Item | None:
        """A host group of this array."""
        return self._one("get_host_groups", name)

    def create_host_group(self, name: str) -> None:
        """Make an empty host group."""
        self._call("post_host_groups", names=[name])

    def join(self, group: str, host: str) -> None:
        """Add a host to a group; several at once would be all or nothing."""
        self._call("post_host_groups_hosts", group_names=[group], member_names=[host])

    def connections(self) -> list[Item]:
        """The array's own connections, one row per host; the peer's rows are left out."""
        rows = self._call("get_connections")
        return [row for row in rows if ":" not in _name(row, "host") and ":" not in _name(row, "host_group")]

    def connect(self, group: str, volume: str, lun: int) -> None:
        """Show a volume to a group at that LUN; 0 leaves the number to the array, as it is for NVMe."""
        wish = {"connection": models.ConnectionPost(lun=lun)} if lun else {}
        self._call("post_connections", host_group_names=[group], volume_names=[volume], **wish)


def _ahead(date: str | None) -> timedelta | None:
    try:
        return parsedate_to_datetime(date or "") - datetime.now(UTC).replace(microsecond=0)
    except ValueError:
        return None


def _name(row: Item, field: str) -> str:
    return str((row.get(field) or {}).get("name") or "")


class Arrays:
    """The arrays of the inventory, by name."""

    def __init__(self, arrays: tuple[Array, ...], secrets: Secrets, read_timeout: float | None = None) -> None:
        self._arrays = {array.name: FlashArray(array, secrets, read_timeout) for array in arrays}

    def __getitem__(self, name: str) -> FlashArray:
        return self._arrays[name]
