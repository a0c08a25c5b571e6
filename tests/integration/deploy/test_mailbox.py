"""The catch-all mailbox over real SMTP and real HTTP: what it keeps, how it misbehaves on request, what it shows."""

from __future__ import annotations

import json
import smtplib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from deploy.embedded.mailbox import Behaviour, Mailbox, store


@pytest.fixture
def smtp(mailbox: Mailbox) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=60)
    yield client
    client.close()


def letter(subject: str = "Order ORD-1", to: str = "buyer@storefront.example") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@storefront.example", to, subject
    message.set_content("plain: grüße")
    message.add_alternative("<p>html <script>alert(1)</script></p>", subtype="html")
    return message


def request(mailbox: Mailbox, path: str, method: str = "GET", body: object = None) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{mailbox.http_port}{path}", data, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            text, status, headers = answer.read().decode(), answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        text, status, headers = error.read().decode(), error.code, dict(error.headers)
    return status, json.loads(text) if "json" in headers["Content-Type"] else text, headers


def test_a_mail_is_kept_with_its_envelope_and_found_by_recipient(mailbox: Mailbox, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter())
    smtp.send_message(letter("Other", "seller@storefront.example"))
    [mail] = mailbox.store.wait_for(1, to="BUYER@")
    assert mail.rcpt_to == ("buyer@storefront.example",)
    assert mail.text.strip() == "plain: grüße"
    status, listed, _ = request(mailbox, "/api/mails?to=buyer@")
    assert (status, listed["total"], listed["items"][0]["subject"]) == (200, 1, "Order ORD-1")
    _, details, _ = request(mailbox, f"/api/mails/{mail.number}")
    assert "script" in details["html"]
    assert ["Subject", "Order ORD-1"] in details["headers"]


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(("mode", "code"), [("defer", 451), ("refuse", 550)])
def test_it_refuses_where_it_is_told_to_and_only_so_often(
    mailbox: Mailbox, smtp: smtplib.SMTP, mode: Any, code: int, stage: Any
) -> None:
    mailbox.behave(Behaviour(mode, stage, times=1))
    with pytest.raises(smtplib.SMTPException) as caught:
        smtp.send_message(letter())
    assert str(code) in str(caught.value.args)
    assert mailbox.mails() == []
    smtp.send_message(letter())
    assert len(mailbox.mails()) == 1


def test_one_recipient_can_be_refused_while_others_are_served(mailbox: Mailbox, smtp: smtplib.SMTP) -> None:
    mailbox.behave(Behaviour("refuse", "rcpt", match="buyer2@"))
    refused = smtp.send_message(letter(), to_addrs=["buyer@storefront.example", "buyer2@storefront.example"])
    assert list(refused) == ["buyer2@storefront.example"]
    assert mailbox.mails()[0].rcpt_to == ("buyer@storefront.example",)


def test_a_connection_cut_after_the_message_leaves_its_sender_in_doubt(mailbox: Mailbox, smtp: smtplib.SMTP) -> None:
    mailbox.behave(Behaviour("drop", "data", times=1))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        smtp.send_message(letter())
    [mail] = mailbox.store.wait_for(1)
    assert mail.dropped


def test_a_tarpit_answers_late_and_holds_up_nobody_else(mailbox: Mailbox, smtp: smtplib.SMTP) -> None:
    mailbox.behave(Behaviour("tarpit", "data", match="slow@", times=1, seconds=5.0))
    began = time.monotonic()
    slow = threading.Thread(target=smtp.send_message, args=(letter(to="slow@storefront.example"),))
    slow.start()
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=60) as other:
        other.send_message(letter())
    assert slow.is_alive(), "the other one is done first"
    slow.join(60)
    assert time.monotonic() - began >= 5.0
    assert len(mailbox.mails()) == 2


def test_switches_work_over_http_and_wrong_ones_change_nothing(mailbox: Mailbox) -> None:
    status, _, _ = request(mailbox, "/api/behaviour", "PUT", {"mode": "defer", "times": 2})
    assert status == 200
    assert mailbox.behaviour == Behaviour("defer", times=2)
    refused: list[object] = [{"mode": "explode"}, {"times": 0}, {"seconds": 1e9}, {"other": 1}, [], {"match": 1}]
    for wrong in refused:
        status, problem, _ = request(mailbox, "/api/behaviour", "PUT", wrong)
        assert status == 400
        assert problem["detail"]
    assert mailbox.behaviour == Behaviour("defer", times=2)


def test_a_hostile_mail_is_shown_without_being_run(mailbox: Mailbox, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter("<img src=x onerror=alert(1)>"))
    [mail] = mailbox.mails()
    for path in ("/", f"/mails/{mail.number}"):
        status, text, headers = request(mailbox, path)
        assert status == 200
        assert "<img src=x" not in text
        assert "script-src" not in headers["Content-Security-Policy"]
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert '<iframe sandbox="allow-popups' in text
    _, html, headers = request(mailbox, f"/mails/{mail.number}/html")
    assert "<script>" in html
    assert "sandbox allow-popups" in headers["Content-Security-Policy"]
    assert "allow-scripts" not in headers["Content-Security-Policy"]
    status, _, headers = request(mailbox, f"/mails/{mail.number}/raw")
    assert headers["Content-Type"].startswith("text/plain")
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/mails/99", "/mails/x", "/api/mails/99", "/nothing", "/api/mails?limit=0"])
def test_what_is_not_there_is_said_so(mailbox: Mailbox, path: str) -> None:
    assert request(mailbox, path)[0] in (400, 404)


def test_memory_is_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 1000)
    kept = store.Store()
    for number in range(10):
        kept.add("a@x", ["b@x"], b"Subject: %d\r\n\r\n" % number + b"." * 300)
    assert [mail.subject for mail in kept.find()] == ["9", "8", "7"]


def test_too_big_a_mail_is_refused(mailbox: Mailbox, smtp: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPException) as caught:
        smtp.sendmail("a@storefront.example", ["b@storefront.example"], b"Subject: x\r\n\r\n" + b"x\r\n" * 4_000_000)
    assert "552" in str(caught.value.args)
    assert mailbox.mails() == []
