"""`corosync-qnetd-tool -l -c NAME`: one cluster's clients of the witness, which may serve many clusters.

Node ids count from 1 in every cluster, so a client says nothing without its cluster's name. A dead client is listed
for up to 12 s more. No output at all means that no node of the cluster is connected.
"""

import re

from activities.parsing import reader

_CLUSTER = re.compile(r'^Cluster "(.*)":\s*$')
_CLIENT = re.compile(r"^\s+Node ID (\d+):\s*$")


@reader
def parse_clients(text: str, cluster: str) -> tuple[int, ...]:
    """The node ids of the cluster's clients; those of other clusters are passed over.

    Text in which a client stands under no cluster's name cannot be read.
    """
    clients: set[int] = set()
    section: str | None = None
    for line in filter(str.strip, text.splitlines()):
        if header := _CLUSTER.match(line):
            section = header[1]
        elif section is None or not line[0].isspace():
            raise ValueError(f"no cluster in {line.strip()[:80]!r}")
        elif section == cluster and line.strip().startswith("Node ID"):
            if (client := _CLIENT.match(line)) is None:  # passed over, it would be a client that is gone
                raise ValueError(f"no client in {line.strip()[:80]!r}")
            clients.add(int(client[1]))
    return tuple(sorted(clients))
