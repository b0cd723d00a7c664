"""`quorate init`: asks, reads Proxmox VE and both arrays, and writes an inventory file. It changes nothing else."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from workers.cli.init.defaults import ENGINE, SIGNERS, SSH_PORT
from workers.cli.options import JsonOption, err, out

Text = str | None


def init(
    pve: Annotated[Text, typer.Option(help="Any node's API: https://ADDRESS:8006.")] = None,
    pve_token: Annotated[Text, typer.Option(help="Where the API token's secret is.", metavar="REF")] = None,
    pve_token_id: Annotated[Text, typer.Option(help=f"The token's name. Default: {ENGINE}.")] = None,
    pve_ca: Annotated[Path | None, typer.Option(help="PEM file that signs the nodes' certificates.")] = None,
    array_a: Annotated[Text, typer.Option(help="Array of the first site: https://ADDRESS.")] = None,
    array_a_token: Annotated[Text, typer.Option(help="Where its API token is.", metavar="REF")] = None,
    array_b: Annotated[Text, typer.Option(help="Array of the second site.")] = None,
    array_b_token: Annotated[Text, typer.Option(help="Where its API token is.", metavar="REF")] = None,
    array_ca: Annotated[Path | None, typer.Option(help="PEM file that signs the arrays' certificates.")] = None,
    witness: Annotated[Text, typer.Option(help="ADDRESS or NAME=ADDRESS. Default: the quorum device's.")] = None,
    ssh_key: Annotated[Text, typer.Option(help="Where root's private key is.", metavar="REF")] = None,
    known_hosts: Annotated[Path | None, typer.Option(help="File with the hosts' keys.")] = None,
    ssh_port: Annotated[int, typer.Option(help="Port of the hosts' sshd.", min=1, max=65535)] = SSH_PORT,
    site_a: Annotated[Text, typer.Option(help="Name of the first site. Default: site-a.")] = None,
    site_b: Annotated[Text, typer.Option(help="Name of the second site. Default: site-b.")] = None,
    nodes_a: Annotated[Text, typer.Option(help="Nodes of the first site: pve1,pve2 or 'pve-n*'.")] = None,
    site_c: Annotated[Text, typer.Option(help="Name of a third place with nodes. Default: site-c.")] = None,
    nodes_c: Annotated[Text, typer.Option(help="Its nodes, which vote in the place of a witness.")] = None,
    transport: Annotated[
        Text, typer.Option(help="iscsi, fc or nvme-tcp. Default: as the arrays know the nodes.")
    ] = None,
    fingerprint: Annotated[
        list[str] | None, typer.Option(help="SHA-256 of a certificate to trust and pin; as often as needed.")
    ] = None,
    pod: Annotated[Text, typer.Option(help="This stretched pod alone. Default: all that the nodes see.")] = None,
    volume: Annotated[Text, typer.Option(help="This volume alone. Default: all that the nodes see.")] = None,
    storage: Annotated[Text, typer.Option(help="This shared LVM storage alone.")] = None,
    template: Annotated[int | None, typer.Option(help="Guest that the guests were cloned from.")] = None,
    signers: Annotated[Path, typer.Option(help="File with the approvers' keys.")] = SIGNERS,
    file: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("inventory.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write an inventory of a cluster that exists, read from it and from its arrays.

    It asks at a terminal; with --pve it asks nothing. REF is env:NAME or file:PATH: no secret is written.

    Example: quorate init --pve https://10.0.0.11:8006 --out inventory.yaml
    """
    from workers.cli.init.asked import Asked
    from workers.cli.init.whole import inventory_of

    asked = Asked(
        pve=pve, pve_token=pve_token, pve_token_id=pve_token_id, pve_ca=pve_ca,
        array_a=array_a, array_a_token=array_a_token, array_b=array_b, array_b_token=array_b_token, array_ca=array_ca,
        witness=witness, ssh_key=ssh_key, known_hosts=known_hosts, ssh_port=ssh_port,
        site_a=site_a, site_b=site_b, nodes_a=nodes_a, site_c=site_c, nodes_c=nodes_c,
        transport=cast("Any", transport), fingerprints=tuple(fingerprint or ()),
        pod=pod, volume=volume, storage=storage, template=template, signers=signers, out=file, force=force,
    )  # fmt: skip
    made = inventory_of(asked, by_hand=pve is None and not as_json and sys.stdin.isatty())
    if as_json:
        open_ones = [{"field": one.field, "line": one.line, "says": one.message} for one in made.left_open]
        out.print_json(data={"file": str(file), "notes": made.notes, "left_open": open_ones})
        return
    for note in made.notes:
        err.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)
    out.print(f"{file} is written: {made.sentence}", markup=False, soft_wrap=True)
    for one in made.left_open:
        out.print(f"  {one}", markup=False, soft_wrap=True)
    where = "" if file == Path("inventory.yaml") else f" -i {shlex.quote(str(file))}"
    if made.left_open:
        out.print(f"next: complete that, then quorate check {shlex.quote(str(file))}", markup=False, soft_wrap=True)
        return
    out.print(
        f"next: quorate check {shlex.quote(str(file))}, then quorate up{where}, then quorate plan deploy{where}",
        markup=False, soft_wrap=True,
    )  # fmt: skip
