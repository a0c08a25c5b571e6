"""Mail that comes back through a real SMTP door; mail that leaves over TLS and with a sign-in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from services.notification import bounces
from services.notification.app import service
from services.notification.store import delivering
from shared.process import running
from tests.integration.notification.world import World, settings_for
from tests.waiting import until


def returned(recipient: str, *, action: str = "failed", status: str = "5.1.1", said: str = "550 no such user") -> bytes:
    """A delivery status notification as mail servers write them."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "mailer-daemon@mx.example", "bounce@x.example", "Undelivered"
    message.set_content("It came back.")
    raw = (
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\nMIME-Version: 1.0\r\n"
        "From: mailer-daemon@mx.example\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n--b\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {said}\r\n\r\n--b--\r\n"
    )
    return raw.encode()


async def test_a_bounce_is_recorded_told_and_remembered(
    make_world: Callable[..., Any], free_port: Callable[[], int]
) -> None:
    port = free_port()
    async with make_world(bounce_listen=f"127.0.0.1:{port}") as world:
        await world.tell(world.member("seller", "seller-org", "seller", email="seller@blåbær.example"))
        await world.tell(world.created())
        async with world.sending():
            await until(lambda: _states(world, ["sent", "sent", "skipped"]), what="the mails to be sent")
            await until(lambda: _open(port), what="the door to be open")
            [mail] = world.mailbox.mails(to="seller@xn--")
            assert mail.mail_from.startswith("bounce+")

            async def come_back(to: str, raw: bytes) -> None:
                async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as door:
                    await door.mail("")  # the empty sender of RFC 5321: nobody answers a bounce
                    await door.rcpt(to)
                    await door.data(raw)

            await come_back(mail.mail_from, returned("seller@test.example", action="delayed", status="4.4.1"))
            assert await world.states() == ["sent", "sent", "skipped"]
            await come_back(mail.mail_from, returned("seller@test.example"))
            assert await world.states() == ["bounced", "sent", "skipped"]
            [bounced] = await world.mails(state="bounced")
            assert bounced["reason"] == "bounced: 5.1.1 550 no such user"
            assert await world.outbox("notification.failed") == 1
            forged = mail.mail_from.replace(mail.mail_from[8:12], "0000")
            with pytest.raises(aiosmtplib.SMTPRecipientRefused):
                await come_back(forged, returned("seller@test.example"))
            # nothing more goes to a mailbox that is not there
            await world.tell(world.created(world.order()))
            assert len(await world.mails(state="suppressed")) == 1


async def test_a_bounce_that_comes_before_its_mail_is_settled_counts(world: World) -> None:
    """hand over, DATA, the sender is killed, the mail comes back, and only then the lease ends."""
    await world.tell(world.created())
    now = world.clock()
    until_then = now + timedelta(minutes=6)
    async with world.runtime.worker_db.transaction() as tx:
        mail = next(m for m in await delivering.claim(tx, now, until_then, 10) if m.email == "seller@test.example")
    async with world.runtime.worker_db.transaction() as tx:
        # not while it is still here
        assert await delivering.bounce(tx, mail.delivery_id, "too early", now) is None
        assert await delivering.hand_over(tx, mail, now, until_then, mail.email, "<a@b.example>")
    assert await bounces.record(world.runtime, mail.delivery_id, returned(mail.email)) == "bounced"
    async with world.runtime.worker_db.transaction() as tx:
        assert await delivering.settle(tx, mail, "sent", "", now, attempted=True) == []
    assert await world.states() == ["bounced", "pending", "skipped"]


async def _open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _states(world: World, states: list[str]) -> bool:
    return await world.states() == states


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


class Kept:
    """Keeps what comes, and how."""

    def __init__(self) -> None:
        self.came: list[tuple[bool, bool, list[str]]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.came.append((session.ssl is not None or server._over_ssl, session.authenticated, envelope.rcpt_tos))
        return "250 OK"


@asynccontextmanager
async def server(cert: Path, key: Path, security: str) -> AsyncIterator[tuple[int, Kept]]:
    """A mail server that takes mail only over TLS and after a sign-in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    kept = Kept()

    def check(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"ordertrail", b"s3cret"))

    def session() -> SMTP:
        starttls = security == "starttls"
        return SMTP(
            kept, tls_context=context if starttls else None, require_starttls=starttls, auth_required=True,
            auth_require_tls=starttls, authenticator=check,
        )  # fmt: skip

    listening = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=context if security == "tls" else None
    )
    try:
        yield listening.sockets[0].getsockname()[1], kept
    finally:
        listening.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it is over TLS from the start
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_leaves_over_tls_and_signed_in(world: World, tmp_path: Path, security: str) -> None:
    cert, key = certificate(tmp_path)
    async with server(cert, key, security) as (port, kept):
        await world.tell(world.created())
        given: dict[str, Any] = {
            "smtp_port": port, "smtp_security": security, "smtp_username": "ordertrail",
            "smtp_password": SecretStr("s3cret"),
        }  # fmt: skip
        # a certificate that nobody vouches for is refused, and nothing is sent
        untrusting = settings_for(world.database, world.mailbox, **given)
        async with running(service(untrusting), roles={"worker"}):
            await until(lambda: _refused(world), what="the certificate to be refused")
        assert kept.came == []
        trusting = settings_for(world.database, world.mailbox, **given, smtp_ca_file=str(cert))
        async with running(service(trusting), roles={"worker"}):
            await until(lambda: _states(world, ["sent", "sent", "skipped"]), what="the mails to be sent")
    assert [(over_tls, signed_in) for over_tls, signed_in, _ in kept.came] == [(True, True)] * 2


async def _refused(world: World) -> bool:
    return any("certificate" in r["reason"] for r in await world.mails(state="pending"))
