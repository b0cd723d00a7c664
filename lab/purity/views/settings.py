"""How an array is set up as a machine in a data centre: names, mail, certificates, support; and what it has none of.

Nothing here can be changed.
Clients that make an inventory of arrays read all of it; runbooks of a stretched cluster need none.
"""

import uuid

from lab.purity.filters import Item
from lab.purity.models import Array
from lab.purity.rules.sessions import USERS
from lab.purity.views import arrays as views
from lab.purity.views import equipment

_DAY = 86_400_000  # milliseconds

# Things the twin has none of; an empty list is all that public clients ask for (reference: flasharray-rest §5.13).
NONE_OF = {
    "/active-directory": "Active Directory account",
    "/apps": "App",
    "/apps/nodes": "App",
    "/directories": "Directory",
    "/directories/performance": "Directory",
    "/directories/space": "Directory",
    "/directory-exports": "Directory export",
    "/directory-services/roles": "Directory service role",
    "/directory-snapshots": "Directory snapshot",
    "/file-systems": "File system",
    "/fleets": "Fleet",
    "/host-groups/protection-groups": "Protection group",
    "/host-groups/tags": "Tag",
    "/hosts/tags": "Tag",
    "/kmip": "KMIP server",
    "/maintenance-windows": "Maintenance window",
    "/network-interfaces/neighbors": "Network interface",
    "/network-interfaces/port-details": "Network interface",
    "/offloads": "Offload",
    "/pod-replica-links": "Pod replica link",
    "/pod-replica-links/performance/replication": "Pod replica link",
    "/pods/tags": "Tag",
    "/presets/workload": "Preset",
    "/protection-group-snapshots": "Protection group snapshot",
    "/protection-groups": "Protection group",
    "/protection-groups/performance/replication": "Protection group",
    "/protection-groups/performance/replication/by-array": "Protection group",
    "/protection-groups/space": "Protection group",
    "/protection-groups/tags": "Tag",
    "/realms": "Realm",
    "/realms/performance": "Realm",
    "/realms/space": "Realm",
    "/realms/tags": "Tag",
    "/snmp-managers": "SNMP manager",
    "/sso/saml2/idps": "Identity provider",
    "/subnets": "Subnet",
    "/subscription-assets": "Subscription asset",
    "/syslog-servers": "Syslog server",
    "/virtual-machine-snapshots": "Virtual machine snapshot",
    "/virtual-machines": "Virtual machine",
    "/volume-groups": "Volume group",
    "/volume-groups/performance": "Volume group",
    "/volume-groups/space": "Volume group",
    "/volume-groups/tags": "Tag",
    "/volume-groups/volumes": "Volume group",
    "/volume-snapshots": "Snapshot",
    "/volume-snapshots/tags": "Tag",
    "/volumes/protection-groups": "Protection group",
    "/volumes/tags": "Tag",
    "/workloads": "Workload",
}


def admins(array: Array) -> list[Item]:
    """The users, one for each role; tokens are masked."""
    return [
        {
            "name": user,
            "role": {"name": role},
            "is_local": True,
            "locked": False,
            "lockout_remaining": None,
            "public_key": None,
            "management_access_policies": [{"id": role, "name": role, "resource_type": "policies/management-access"}],
            "api_token": {
                "token": "****" if role in array.tokens.values() else None,
                "created_at": None,
                "expires_at": None,
            },
        }
        for role, user in USERS.items()
    ]


def admin_settings(_: Array) -> list[Item]:
    """Rules for passwords."""
    return [
        {
            "lockout_duration": 600_000,
            "max_login_attempts": 10,
            "min_password_length": 1,
            "required_authentication_methods": {"ssh": ["default"], "web_ui": ["default"]},
            "single_sign_on_enabled": False,
        }
    ]


def alert_watchers(_: Array) -> list[Item]:
    """The vendor's address, to which nothing is sent."""
    return [{"name": "flasharray-alerts@purestorage.com", "enabled": False}]


def certificates(array: Array) -> list[Item]:
    """The self-signed certificate that an array comes with."""
    began = int(array.made * 1000) // _DAY * _DAY - 30 * _DAY
    return [
        {
            "id": str(uuid.uuid5(uuid.UUID(array.id), "certificate")),
            "name": "management",
            "certificate": "",
            "certificate_type": "array",
            "common_name": array.management_address.partition(":")[0],
            "country": None,
            "email": None,
            "intermediate_certificate": None,
            "issued_by": "",
            "issued_to": "",
            "key_algorithm": "rsa",
            "key_size": 2048,
            "locality": None,
            "organization": "Pure Storage, Inc.",
            "organizational_unit": "Pure Storage, Inc.",
            "state": None,
            "status": "self-signed",
            "subject_alternative_names": [],
            "valid_from": began,
            "valid_to": began + 3650 * _DAY,
        }
    ]


def directory_services(array: Array) -> list[Item]:
    """The two that every array has, both switched off."""
    return [
        {
            "id": str(uuid.uuid5(uuid.UUID(array.id), name)),
            "name": name,
            "base_dn": "",
            "bind_user": "",
            "ca_certificate": None,
            "ca_certificate_ref": {**views.NOTHING, "resource_type": None},
            "check_peer": False,
            "enabled": False,
            "management": {
                "ssh_public_key_attribute": None,
                "user_login_attribute": None,
                "user_object_class": None,
            },
            "services": [name],
            "sources": [],
            "uris": [],
        }
        for name in ("management", "data")
    ]


def dns(_: Array) -> list[Item]:
    """Names for management."""
    return [
        {
            "name": "management",
            "ca_certificate": {**views.NOTHING, "resource_type": None},
            "ca_certificate_group": {**views.NOTHING, "resource_type": None},
            "domain": "lab",
            "nameservers": ["127.0.0.1"],
            "services": ["management"],
            "source": {"name": None},
        }
    ]


# The counters of a network interface, by its type; whatever does not count on an interface is null.
_ETH = (
    "flow_control_received_congestion_packets_per_sec", "flow_control_received_discarded_packets_per_sec",
    "flow_control_received_lossless_bytes_per_sec", "flow_control_received_pause_frames_per_sec",
    "flow_control_transmitted_congestion_packets_per_sec", "flow_control_transmitted_discarded_packets_per_sec",
    "flow_control_transmitted_lossless_bytes_per_sec", "flow_control_transmitted_pause_frames_per_sec",
    "rdma_received_req_cqe_errors_per_sec", "rdma_received_sequence_errors_per_sec",
    "rdma_transmitted_local_ack_timeout_errors_per_sec", "received_bytes_per_sec", "received_crc_errors_per_sec",
    "received_frame_errors_per_sec", "received_packets_per_sec", "total_errors_per_sec", "transmitted_bytes_per_sec",
    "transmitted_carrier_errors_per_sec", "transmitted_dropped_errors_per_sec", "transmitted_packets_per_sec",
)  # fmt: skip
_FC = (
    "received_bytes_per_sec", "received_crc_errors_per_sec", "received_frames_per_sec",
    "received_link_failures_per_sec", "received_loss_of_signal_per_sec", "received_loss_of_sync_per_sec",
    "total_errors_per_sec", "transmitted_bytes_per_sec", "transmitted_frames_per_sec",
    "transmitted_invalid_words_per_sec",
)  # fmt: skip


def network_performance(array: Array) -> list[Item]:
    """Interfaces stand still."""
    return [
        {
            "name": interface["name"],
            "interface_type": "eth",
            "eth": {**dict.fromkeys(_ETH, 0), "other_errors_per_sec": None},
            "fc": dict.fromkeys(_FC),
            "time": views.now(array),
        }
        for interface in equipment.network_interfaces(array)
    ]


def smi_s(_: Array) -> list[Item]:
    """Both of its services are off."""
    return [{"slp_enabled": False, "wbem_https_enabled": False}]


def smtp_servers(_: Array) -> list[Item]:
    """No relay."""
    return [
        {
            "name": "smtp",
            "body_prefix": None,
            "encryption_mode": None,
            "relay_host": "",
            "sender_domain": "lab",
            "sender_username": None,
            "subject_prefix": None,
            "user_name": "",
        }
    ]


def snmp_agents(array: Array) -> list[Item]:
    """The array's own agent, which nobody asks."""
    return [
        {
            "name": "localhost",
            "engine_id": f"80000b6a{array.id.replace('-', '')[:16]}",
            "version": "v2c",
            "v2c": {"community": None},
            "v3": dict.fromkeys(("auth_passphrase", "auth_protocol", "privacy_passphrase", "privacy_protocol", "user")),
        }
    ]


def support(_: Array) -> list[Item]:
    """Nobody from the vendor is logged in."""
    return [
        {
            "phonehome_enabled": False,
            "proxy": "",
            "remote_assist_active": False,
            "remote_assist_duration": _DAY,
            "remote_assist_expires": 0,
            "remote_assist_opened": 0,
            "remote_assist_paths": [],
            "remote_assist_status": "disconnected",
        }
    ]
