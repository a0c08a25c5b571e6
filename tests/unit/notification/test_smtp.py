"""What the mail server's answers mean in each phase, and what a returned mail says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.channels import dsn
from services.notification.channels.smtp import Phase, is_dead, judge
from services.notification.deliver import next_attempt

GONE = aiosmtplib.SMTPServerDisconnected("lost")
SLOW = aiosmtplib.SMTPReadTimeoutError("slow")


def said(code: int, text: str = "no") -> aiosmtplib.SMTPResponseException:
    return aiosmtplib.SMTPResponseException(code, text)


@pytest.mark.parametrize(
    ("phase", "error", "kind"),
    [
        (Phase.CONNECT, OSError("refused"), "trouble"),
        (Phase.CONNECT, said(535), "trouble"),
        (Phase.SENDER, said(550), "trouble"),
        (Phase.SENDER, GONE, "trouble"),
        (Phase.RECIPIENT, said(450), "retry"),
        (Phase.RECIPIENT, said(421), "trouble"),
        (Phase.RECIPIENT, said(550), "refused"),
        (Phase.RECIPIENT, SLOW, "trouble"),
        (Phase.DATA, GONE, "trouble"),
        (Phase.DATA, said(451), "retry"),
        (Phase.DATA, said(554), "refused"),
        (Phase.BODY, said(451), "retry"),
        (Phase.BODY, said(421), "retry"),
        (Phase.BODY, said(554), "refused"),
        # the server may have it: nothing but an answer says otherwise
        (Phase.BODY, GONE, "unknown"),
        (Phase.BODY, SLOW, "unknown"),
        (Phase.BODY, said(-1, "nonsense"), "unknown"),
        (Phase.BODY, OSError("reset"), "unknown"),
    ],
)
def test_what_an_answer_means(phase: Phase, error: Exception, kind: str) -> None:
    assert judge(phase, error).kind == kind


def test_only_a_missing_mailbox_makes_an_address_dead() -> None:
    assert judge(Phase.RECIPIENT, said(550, "5.1.1 no such user")).dead_address
    assert judge(Phase.RECIPIENT, said(550, "no such user")).dead_address
    assert not judge(Phase.RECIPIENT, said(550, "5.7.1 relaying denied")).dead_address
    assert not judge(Phase.RECIPIENT, said(552, "mailbox full")).dead_address
    assert not judge(Phase.BODY, said(550, "5.1.1 spam")).dead_address
    assert is_dead(553, "")


def test_pauses_grow_are_spread_and_end() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    pauses = (60.0, 300.0)
    assert next_attempt(0, pauses, now, 0) == now + timedelta(seconds=60)
    assert next_attempt(1, pauses, now, 1) == now + timedelta(seconds=360)
    assert next_attempt(1, pauses, now, -1) == now + timedelta(seconds=240)
    assert next_attempt(2, pauses, now, 0) is None


def report(fields: str) -> bytes:
    return (
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
        f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n{fields}\r\n\r\n--b--\r\n"
    ).encode()


def test_a_failure_is_read_and_a_delay_is_none() -> None:
    failed = dsn.read(report("Final-Recipient: rfc822; a@x\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                             "Diagnostic-Code: smtp; 550 5.1.1 gone"))  # fmt: skip
    assert failed is not None
    assert (failed.recipient, failed.dead_address) == ("a@x", True)
    assert failed.reason == "bounced: 5.1.1 550 5.1.1 gone"
    full = dsn.read(report("Action: failed\r\nStatus: 4.2.2"))
    assert full is not None
    assert not full.dead_address
    assert dsn.read(report("Action: delayed\r\nStatus: 4.4.1")) is None
    assert dsn.read(b"Subject: Out of office\r\n\r\nI am away.") is None
    assert dsn.read(b"x" * (dsn.MOST_BYTES + 1)) is None


@given(st.binary(max_size=2_000))
def test_nonsense_is_no_report(raw: bytes) -> None:
    assert dsn.read(raw) is None
    dsn.read(report("") + raw)
    dsn.read(
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + raw
    )
