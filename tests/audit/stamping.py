"""A small time stamp service on loopback: `openssl ts` behind HTTP, with a root and a certificate of its own."""

import http.server
import subprocess
import threading
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
[name]
[tsa]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamping]
dir = {place}
serial = {place}/serial
signer_cert = {place}/tsa.pem
signer_key = {place}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Stamping:
    """The service; `url` is where it is asked, `roots` the certificates that it is trusted by."""

    def __init__(self, place: Path) -> None:
        self._place, self.roots, self.refusals = place, place / "root.pem", 0
        (place / "ts.cnf").write_text(CONFIG.format(place=place))
        (place / "serial").write_text("01\n")
        subject = ["-subj", "/CN=The root of a test", "-days", "30"]
        self._openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "root.key", "-out", "root.pem",
                      "-config", "ts.cnf", "-extensions", "root", *subject)  # fmt: skip
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr",
                      "-config", "ts.cnf", "-subj", "/CN=The clock of a test")  # fmt: skip
        self._openssl("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
                      "-days", "30", "-extfile", "ts.cnf", "-extensions", "tsa", "-out", "tsa.pem")  # fmt: skip
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                asked = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.refusals:
                    outer.refusals -= 1
                    self.send_error(503)
                    return
                answer = outer.answer(asked)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsa"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, asked: bytes) -> bytes:
        """The answer to a question of a client."""
        (self._place / "asked.tsq").write_bytes(asked)
        self._openssl("ts", "-reply", "-config", "ts.cnf", "-section", "stamping", "-queryfile", "asked.tsq",
                      "-out", "said.tsr")  # fmt: skip
        return (self._place / "said.tsr").read_bytes()

    def stop(self) -> None:
        """It answers no more."""
        self._server.shutdown()
        self._server.server_close()

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=self._place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
