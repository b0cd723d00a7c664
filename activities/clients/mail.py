"""A mail to people, over the server that the inventory names. Errors name that server alone."""

import smtplib
import ssl
from email.message import EmailMessage

from activities import tracing
from activities.errors import Rejected, Unauthorized, Unreachable
from cluster.addresses import split
from cluster.around import Mail

SUBMISSION, TLS_FROM_THE_START = 587, 465
# The server asks for later: what SMTP calls a transient failure.
LATER = range(400, 500)


def post(mail: Mail, password: str | None, subject: str, text: str, key: str, timeout: float) -> None:
    """Send it once to all; Unreachable when it may be sent later, Rejected when the server does not take it."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = mail.sender, ", ".join(mail.to), subject
    # the same whenever it is sent again, so that a mail program shows it once
    letter["Message-ID"] = f"<{_plain(key)}@{mail.sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    host, given = split(mail.server)
    port = given or SUBMISSION
    try:
        with tracing.call("SMTP", host, port), _server(mail, host, port, timeout) as server:
            if mail.user is not None:
                server.login(mail.user, password or "")
            server.send_message(letter)
    except smtplib.SMTPAuthenticationError:
        raise Unauthorized(f"{host}: the mail server refuses the user") from None
    except smtplib.SMTPResponseException as error:
        said = f"{host} says SMTP {error.smtp_code}"
        raise (Unreachable(said) if error.smtp_code in LATER else Rejected(said)) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        said = f"{host} refuses {len(error.recipients)} of {len(mail.to)} addresses"
        raise (Unreachable(said) if codes & set(LATER) else Rejected(said)) from None
    except ssl.SSLError:
        raise Unauthorized(f"{host}: its certificate is not trusted by this worker") from None
    except smtplib.SMTPNotSupportedError:
        said = f"{host} offers no STARTTLS or no login: set tls: false only for a relay on this machine"
        raise Rejected(said) from None
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(f"{host} does not answer: {type(error).__name__}") from None


def _server(mail: Mail, host: str, port: int, timeout: float) -> smtplib.SMTP:
    if mail.tls and port == TLS_FROM_THE_START:
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=timeout)
    if mail.tls:
        server.starttls(context=ssl.create_default_context())
    return server


def _plain(key: str) -> str:
    return "".join(letter if letter.isalnum() else "." for letter in key)
