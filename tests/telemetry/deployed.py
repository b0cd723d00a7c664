"""The trace of a deployment from nothing, as text."""

from collections.abc import Iterator, Mapping, Sequence

NODES = [f"pxmx0{site}-0{node}" for site in (1, 2) for node in (1, 2, 3)]
ARRAYS = ("X90R3-SiteA", "X90R3-SiteB")

# What is asked of others and said to people may come at any time.
BESIDE = ("records.together", "records.left", "people.tell", "update pause", "update resume")

READY = [
    *((f"Array {array} is ready", "purity.preflight") for array in ARRAYS),
    ("Clocks agree", "hosts.clocks"),
    ("Cluster is quorate and complete", "proxmox.preflight"),
    *((f"Node {node} is ready", "hosts.preflight") for node in NODES),
    ("Nodes agree about the votes", "hosts.votes"),
    ("Witness qdevice is ready", "hosts.witness_preflight"),
]
MADE = [
    ("Pod webb-ac-proxmox-01 holds the volume", "purity.ensure_pod"),
    ("Pod is online on both arrays", "purity.ensure_stretched"),
    *((f"Hosts see the volume on {array}", "purity.ensure_access") for array in ARRAYS),
    *((f"Paths of {node}", "hosts.ensure_paths") for node in NODES),
    ("Quorum device votes", "hosts.ensure_quorum_device"),
    ("Volume group pxmx-ac-vg is seen by all nodes", "hosts.ensure_volume_group"),
    ("Storage pxmx-ac-shared is active on all nodes", "proxmox.ensure_storage"),
    ("Guest ac-test-vm-01 runs on pxmx01-01", "proxmox.ensure_guest"),
    ("Guest ac-test-vm-02 runs on pxmx01-02", "proxmox.ensure_guest"),
    ("HA keeps the guests started", "proxmox.ensure_ha"),
]
PROVEN = [
    ("Guest ac-test-vm-01 runs", "proxmox.guest_state"),
    ("Guest ac-test-vm-02 runs", "proxmox.guest_state"),
    ("HA is armed, guests started", "proxmox.ha_state"),
    *((f"Paths of {node}", "hosts.paths") for node in NODES),
    ("Pod serves on both arrays", "purity.pod_state"),
    ("Quorum device votes on every node", "hosts.votes"),
    ("Storage is active on all nodes", "proxmox.storage_state"),
]


def tree(said: str = "", more: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Planned, made and proven; `said` are the run's own events.

    `more` stands under steps that make something: what is there besides the attempt that did it.
    """

    def steps(known: list[tuple[str, str]], besides: Mapping[str, Sequence[str]]) -> Iterator[str]:
        for title, activity in known:
            yield f"  {title}"
            yield from (f"    {line}" for line in [*besides.get(title, ()), activity])

    return [
        f"DeployStretchedCluster{said}",
        "  Inventory is read",
        "    records.inventory",
        "  Claim",
        *steps(READY, {}),
        *steps(MADE, {}),
        *steps(MADE, more or {}),
        *steps(PROVEN, {}),
    ]
