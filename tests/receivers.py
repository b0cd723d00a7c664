"""The other end of a webhook, and of a mail."""

import http.server
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Receiver:
    """A webhook's other end: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], str]] = []
        self.paths: list[str] = []  # method and path of each
        self.status = 200
        self.says = ""  # what it answers with
        self.goes_to = ""  # where it redirects to
        self.refusals = 0  # so many of the next ones are answered with 503
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if not outer.refusals:
                    outer.got.append((dict(self.headers), body))
                    outer.paths.append(f"{self.command} {self.path}")
                status, outer.refusals = (503, outer.refusals - 1) if outer.refusals else (outer.status, 0)
                self.send_response(status)
                if outer.goes_to:
                    self.send_header("Location", outer.goes_to)
                self.end_headers()
                self.wfile.write(outer.says.encode())

            do_PUT = do_POST  # noqa: N815  # the library's name

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def told_in(inventory: Path, name: str) -> Iterator[Receiver]:
    """Whoever wants to know of everything: it stands in that inventory until the end."""
    receiver, text = Receiver(), inventory.read_text()
    inventory.write_text(f"{text}\nnotify:\n  - name: {name}\n    webhook: {receiver.url}\n")
    yield receiver
    inventory.write_text(text)
    receiver.stop()


class MailServer:
    """A mail server without TLS: the mails it took, and `refusal` instead of taking one (``451 later``)."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.refusal = ""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                self.say("220 ready")
                while line := self.rfile.readline():
                    word = line.split()[0].upper() if line.split() else b""
                    if word == b"DATA":
                        self.say("354 go on")
                        outer.got.append(self._mail())
                        self.say("250 taken")
                    elif word == b"QUIT":
                        self.say("221 bye")
                        return
                    elif word == b"RCPT" and outer.refusal:
                        self.say(outer.refusal)
                    else:
                        self.say("250 fine")

            def _mail(self) -> bytes:
                found = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    found += line
                return found

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
