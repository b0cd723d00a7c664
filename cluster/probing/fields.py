"""What is kept of each answer that is JSON: fields by name, each with what its value is. All others are dropped.

A value is ``keep`` (a number, a switch or one of the words that devices use), a kind of name (`names.KINDS` and the
other spaces there), something with several names in it (`compound`), or fields of its own. A key that is itself a
name is written ``*kind``.
"""

from typing import Any

Fields = Any  # a word, a dict of fields, or a list with what each of its items is

_NAMED_ARRAY = {"name": "array"}
_PORT = {"name": "iface", "iqn": "iqn", "portal": "endpoint", "wwn": "wwn", "nqn": "nqn"}

ARRAY: dict[str, Fields] = {
    "levels": ["keep"],
    "array": {"name": "array", "id": "uuid", "version": "keep", "os": "keep"},
    "role": "keep",
    "connection": {
        "name": "array", "type": "keep", "status": "keep", "replication_transport": "keep",
        "replication_addresses": ["address"], "version": "keep",
    },
    "portals": [_PORT],
    "interfaces": [
        {
            "name": "iface", "enabled": "keep", "services": ["keep"], "speed": "keep", "interface_type": "keep",
            "eth": {"address": "address", "mtu": "keep", "subtype": "keep"},
        }
    ],
    "pods": [
        {
            "name": "pod", "id": "uuid", "destroyed": "keep", "array_count": "keep", "promotion_status": "keep",
            "failover_preferences": [_NAMED_ARRAY],
            "arrays": [
                {
                    "name": "array", "status": "keep", "mediator_status": "keep", "pre_elected": "keep",
                    "progress": "keep",
                }
            ],
        }
    ],
    "volumes": [
        {
            "name": "volume_name", "id": "uuid", "serial": "serial", "provisioned": "keep", "destroyed": "keep",
            "subtype": "keep", "connection_count": "keep", "pod": {"name": "pod"},
        }
    ],
    "hosts": [
        {
            "name": "host", "iqns": ["iqn"], "wwns": ["wwn"], "nqns": ["nqn"], "personality": "keep",
            "preferred_arrays": [_NAMED_ARRAY], "host_group": {"name": "group"}, "is_local": "keep", "vlan": "keep",
            "chap": {"host_user": "user", "target_user": "user"}, "connection_count": "keep",
            "port_connectivity": {"status": "keep", "details": "keep"},
        }
    ],
    "host-group": {"name": "group", "is_local": "keep", "host_count": "keep", "connection_count": "keep"},
    "connections": [
        {
            "host": {"name": "host"}, "host_group": {"name": "group"}, "lun": "keep", "nsid": "keep",
            "volume": {"name": "volume_name"},
        }
    ],
    "initiators": [{"initiator": {"iqn": "iqn", "wwn": "wwn", "nqn": "nqn"}, "target": _PORT}],
}  # fmt: skip

_GUEST = {
    "cores": "keep", "sockets": "keep", "memory": "keep", "balloon": "keep", "ostype": "keep", "agent": "keep",
    "scsihw": "keep", "machine": "keep", "bios": "keep", "numa": "keep", "onboot": "keep", "protection": "keep",
    "template": "keep", "lock": "keep", "cpu": "keep", "boot": "keep", "swap": "keep", "arch": "keep",
    "unprivileged": "keep", "name": "guest", "hostname": "guest",
    **{f"{bus}{number}": "disk_of_guest" for bus in ("scsi", "virtio", "ide", "sata") for number in range(31)},
    **{f"mp{number}": "disk_of_guest" for number in range(31)},
    "rootfs": "disk_of_guest", "efidisk0": "disk_of_guest", "tpmstate0": "disk_of_guest",
}  # fmt: skip
_SERVICE = {"node": "node", "state": "keep", "running": "keep", "failed_nodes": ["node"], "target": "node"}

CLUSTER: dict[str, Fields] = {
    "status": [
        {
            "type": "keep", "name": "node", "nodes": "keep", "version": "keep", "quorate": "keep",
            "nodeid": "keep", "ip": "address_or_name", "online": "keep", "local": "keep", "level": "keep",
        }
    ],
    "resources": [
        {
            "id": "resource", "type": "keep", "node": "node", "status": "keep", "name": "guest", "vmid": "keep",
            "template": "keep", "maxcpu": "keep", "maxmem": "keep", "maxdisk": "keep", "hastate": "keep",
            "lock": "keep", "storage": "storage", "plugintype": "keep", "shared": "keep", "content": "keep",
            "pool": "pool", "cgroup-mode": "keep", "level": "keep",
        }
    ],
    "options": {
        "keyboard": "keep", "console": "keep", "crs": {"ha": "keep", "ha-auto-rebalance": "keep",
        "ha-rebalance-on-start": "keep", "ha-auto-rebalance-threshold": "keep"},
        "ha": {"shutdown_policy": "keep"}, "migration": {"type": "keep"}, "max_workers": "keep", "fencing": "keep",
    },
    "storage": [
        {
            "storage": "storage", "type": "keep", "content": "keep", "shared": "keep", "disable": "keep",
            "nodes": "nodes", "vgname": "vg", "saferemove": "keep", "base": "disk_of_guest", "path": "folder",
            "export": "path", "server": "address_or_name", "thinpool": "file", "pool": "pool",
            "snapshot-as-volume-chain": "keep", "is_mountpoint": "keep",
        }
    ],
    "ha-resources": [
        {
            "sid": "keep", "type": "keep", "state": "keep", "failback": "keep", "max_restart": "keep",
            "max_relocate": "keep", "group": "rule",
        }
    ],
    "ha-rules": [
        {
            "rule": "rule", "type": "keep", "affinity": "keep", "resources": "keep", "nodes": "nodes",
            "strict": "keep", "disable": "keep", "order": "keep",
        }
    ],
    "ha-manager": {
        "manager_status": {
            "master_node": "node", "node_status": {"*node": "keep"}, "service_status": {"*keep": _SERVICE},
            "node_request": {"*node": {"maintenance": "keep"}},
            "disarm": {"state": "keep", "mode": "keep"},
        },
        "lrm_status": {"*node": {"state": "keep", "mode": "keep"}},
        "quorum": {"quorate": "keep"},
    },
    "ha-current": [
        {
            "type": "keep", "node": "node", "sid": "keep", "state": "keep", "crm_state": "keep",
            "request_state": "keep", "quorate": "keep", "armed-state": "keep", "resource_mode": "keep",
        }
    ],
    "backup": [
        {
            "id": "job", "type": "keep", "enabled": "keep", "schedule": "keep", "storage": "storage", "mode": "keep",
            "all": "keep", "vmid": "keep", "exclude": "keep", "node": "node", "pool": "pool", "compress": "keep",
            "prune-backups": {f"keep-{each}": "keep" for each in
                              ("all", "last", "hourly", "daily", "weekly", "monthly", "yearly")},
        }
    ],
    "guest": _GUEST,
}  # fmt: skip

HOST: dict[str, Fields] = {
    "version": {"version": "keep", "release": "keep"},
    "volume-groups": {"report": [{"vg": [
        {"vg_name": "vg", "pv_name": "device", "vg_size": "keep", "vg_free": "keep"}
    ]}]},
    "logical-volumes": {"report": [{"lv": [{"lv_name": "file", "lv_attr": "keep"}]}]},
    "nvme-subsystems": [
        {
            "HostNQN": "nqn",
            "Subsystems": [
                {
                    "Name": "keep", "NQN": "nqn",
                    "Paths": [{"Name": "keep", "Transport": "keep", "Address": "fabric_address", "State": "keep"}],
                }
            ],
        }
    ],
}  # fmt: skip

CONTROLLER: dict[str, Fields] = {"power": "keep"}

_NAME = {
    "name": "node",
    "address": "endpoint",
    "iqn": "iqn",
    "wwns": ["wwn"],
    "nqn": "nqn",
    "links": ["endpoint"],
    "bmc": {"address": "endpoint", "user": "user", "protocol": "keep"},
}
_POD = {
    "name": "pod", "first": "array", "failover_preference": "array",
    "volumes": [{"name": "volume", "size": "keep", "luns": {"*array": "keep"}, "default_protection": "keep"}],
}  # fmt: skip
_STORAGE = {"id": "storage", "vg": "vg", "volume": "volume_name"}
INVENTORY: Fields = {
    "name": "cluster", "transport": "keep",
    "sites": [{"name": "site", "array": "array", "nodes": [_NAME]}],
    "arrays": [{"name": "array", "address": "endpoint", "host_group": "group", "portals": ["endpoint"]}],
    "witness": {"name": "witness", "address": "endpoint"},
    "third": {"name": "site", "nodes": [_NAME]},
    "api": {"token_id": "token_id", "port": "keep"},
    "ssh": {"port": "keep"},
    "pod": _POD,
    "pods": [_POD],
    "storage": _STORAGE,
    "storages": [_STORAGE],
    "guests": [
        {
            "vmid": "keep", "name": "guest", "template": "keep", "node": "node", "cores": "keep", "memory": "keep",
            "storage": "storage",
        }
    ],
    "ha": {"max_restart": "keep", "max_relocate": "keep", "failback": "keep"},
    "limits": {
        "array_rtt": "keep", "corosync_rtt": "keep", "witness_rtt": "keep", "clock_offset": "keep", "look": "keep",
    },
    "timeouts": {"stretch": "keep", "clone": "keep", "ha": "keep", "step": "keep", "preflight": "keep"},
    "failback": {"soak": "keep", "first": ["keep"], "together": "keep"},
}  # fmt: skip
