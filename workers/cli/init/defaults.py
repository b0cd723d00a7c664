"""What holds where no option says otherwise. Imported by the command line, so nothing that takes long is."""

from pathlib import Path

PVE_PORT, SSH_PORT = 8006, 22
SIGNERS = Path("allowed_signers")
ENGINE = "engine@pve!runbook"  # as docs/prepare.md names it
SITES = ("site-a", "site-b")
THIRD = "site-c"
