"""From a reference to a secret, at the last moment: inside a client, never in a workflow or a message."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from activities.clients.masks import MASKS
from activities.errors import NotFound, Unauthorized

_TOKEN = re.compile(r"[!-~]+")


class Secrets:
    """Resolves ``env:NAME`` and ``file:PATH``; a relative path counts from the inventory's folder.

    `folders` are those besides the inventory's from which something may be sent out (the worker's QUORATE_SECRETS).
    """

    def __init__(self, base: Path, folders: Sequence[Path] = ()) -> None:
        self._base, self._folders = base, (base, *folders)

    def path(self, path: str) -> Path:
        """A path of the inventory as the process sees it."""
        return (self._base / path).resolve()

    def read(self, reference: str) -> str:
        """The secret itself, and blanked out of texts from now on; NotFound names the reference and nothing else."""
        found = self._found(reference)
        MASKS.learn(found)
        return found

    def _found(self, reference: str) -> str:
        kind, _, name = reference.partition(":")
        if kind == "env":
            if value := os.environ.get(name, "").strip():
                return value
            raise NotFound(
                f"secret {reference}: the worker's environment has no {name}; set it and start the worker again"
            )
        try:
            return self.path(name).read_text().strip()
        except OSError as error:
            raise NotFound(f"secret {reference}: cannot be read by the worker ({error.strerror})") from None
        except UnicodeDecodeError:
            raise Unauthorized(f"secret {reference}: is no text in UTF-8; put the secret alone there") from None

    def token(self, reference: str) -> str:
        """A secret that stands in a header; Unauthorized where it cannot: the libraries' own errors would show it."""
        found = self.read(reference)
        if not _TOKEN.fullmatch(found):
            raise Unauthorized(
                f"secret {reference}: it is no token, which is one word of ASCII; put the token alone there"
            )
        return found

    def outgoing(self, reference: str) -> str:
        """A secret that is sent to an address of the inventory; Unauthorized unless its file is among our secrets.

        Who may change the inventory must not be able to have any file of the worker sent away.
        """
        kind, _, name = reference.partition(":")
        if kind == "file" and not any(self.path(name).is_relative_to(folder.resolve()) for folder in self._folders):
            raise Unauthorized(
                f"secret {reference}: what is sent out may only be read below the inventory's folder; "
                "put it there, or name its folder in the worker's QUORATE_SECRETS"
            )
        return self.read(reference)

    def address(self, webhook: str) -> str:
        """The address of a webhook, which may stand in the inventory or be referred to."""
        if webhook.startswith(("env:", "file:")):
            return self.outgoing(webhook)
        MASKS.learn(webhook)
        return webhook
