"""The other end of a webhook."""

import http.server
import threading


class Receiver:
    """A webhook's other end: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], str]] = []
        self.status = 200
        self.refusals = 0  # so many of the next ones are answered with 503
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if not outer.refusals:
                    outer.got.append((dict(self.headers), body))
                status, outer.refusals = (503, outer.refusals - 1) if outer.refusals else (outer.status, 0)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
