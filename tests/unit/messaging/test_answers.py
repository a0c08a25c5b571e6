"""What of a mail is the answer, whatever its program quotes, and what was written by a machine."""

from __future__ import annotations

import time
from email.message import EmailMessage

import pytest

from services.messaging.answers import answered, read
from tests.images import PDF

ABOVE = "##- Write your answer above this line -##"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (f"Yes.\n\nOn Mon, 2 Mar 2026 at 10:00, Market <no-reply@x.example> wrote:\n> {ABOVE}\n> Hello", "Yes."),
        (f"Ja.\r\n\r\nDen man. 2. mars 2026 kl. 10:00 skrev Market <\r\nno-reply@x.example>:\r\n> {ABOVE}", "Ja."),
        (f"Yes\n{ABOVE}\nNew message from Bea", "Yes"),
        ("Yes\n\n> quoted\n> more\n", "Yes"),
        ("Yes\n\nOn 2 March Bea wrote:\n\n> quoted", "Yes"),
        ("> is it blue?\nyes\n> and large?\nno", "> is it blue?\nyes\n\n> and large?\nno"),
        ("Ok\n-----Original Message-----\nFrom: x", "Ok"),
        ("Ok\n\nFrom: Market <a@b.example>\nSent: Monday\nTo: me\n\nold", "Ok"),
        ("From: the shop it is 3 km.\nThat is all", "From: the shop it is 3 km.\nThat is all"),
        ("I need these:\n- one\n- two", "I need these:\n- one\n- two"),
        ("Thanks\n-- \nBea\nTel. 1", "Thanks"),
        ("", ""),
        (f"On Monday Market wrote:\n> {ABOVE}\n> Colour?\n> View order\n\nIt is blue.\n-- \nBea", "It is blue."),
        (f"> {ABOVE}\n>\n> Colour?\nBlue\n> Size?\n\nLarge\n\nBea\n> bye", "> Colour?\nBlue\n\n> Size?\nLarge\n\nBea"),
        (f"See below\n\nOn Monday Market wrote:\n> {ABOVE}\n> Colour?\n\nBlue", "See below\n\nBlue"),
        ("Den 2. mars skrev Market:\n> Farge?\n\nBlå", "Blå"),
        ("-----Original Message-----\nFrom: x\n> old\n\nNew", "New"),
        (f"On Monday Market wrote:\n> {ABOVE}\n> Colour?\n", ""),
        (f"{ABOVE}\nNew message from Bea\n\n> Colour?\n\nReply to this e-mail.\nnothing tells this apart", ""),
        (f"Blue\n\n{ABOVE}\n> Colour?\n\nReply to this e-mail.", "Blue"),
        ("Blue\n____________________\nFrom: Market\nTo: me\n\nNew message\n\n> Colour?\n\nReply", "Blue"),
    ],
)
def test_the_answer_is_what_was_written_anew(written: str, text: str) -> None:
    assert answered(written) == text


@pytest.mark.parametrize(
    "hostile",
    ["On " * 60_000, "\n" * 200_000 + "x", "> " * 90_000, "From: x\n" * 25_000, "_" * 200_000, "-- \n" * 50_000,
     "On a <b@c> " * 18_000 + "wrote:", "<div>" * 30_000, "<p " * 60_000,
     "<blockquote>x" * 15_000, "> a\nb\n" * 2_500, "> a\n" * 100 + "b\n" * 4_000],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_hostile_mail_takes_no_time(hostile: str, kind: str) -> None:
    raw = f"From: a@b.example\nContent-Type: text/{kind}\n\n{hostile}".encode()
    began = time.process_time()
    read(raw)
    assert time.process_time() - began < 2


def test_html_alone_is_read_as_text_without_what_it_quotes() -> None:
    mail = EmailMessage()
    mail["From"] = "Bea <bea@x.example>"
    page = (
        "<html><head><style>p{}</style></head><body><p>Yes,&nbsp;please.</p><div>Two&lt;3<br>of them</div>"
        "<script>alert(1)</script><div class='gmail_quote'>On Monday X wrote:<blockquote>old</blockquote></div></body>"
    )
    mail.set_content(page, subtype="html")
    assert read(bytes(mail)).text == "Yes, please.\n\nTwo<3\nof them"


@pytest.mark.parametrize(
    "page",
    [
        f"<div>On 2 March X wrote:<br></div><blockquote type=cite><p>{ABOVE}</p><p>Colour?</p></blockquote><p>Blue</p>",
        f"<div class=gmail_quote><div>On 2 March X wrote:</div><blockquote class=gmail_quote>{ABOVE}<br>Colour?"
        "<blockquote>old</blockquote> or not?</blockquote><div>Blue</div></div>",
        f"<p>Blue</p><div class=gmail_quote>{ABOVE} Colour?</div>",
    ],
)
def test_html_is_answered_below_what_it_quotes_too(page: str) -> None:
    assert read(f"From: a@b.example\nContent-Type: text/html\n\n{page}".encode()).text == "Blue"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xff\xfe\0\0", b"From: =?x?q?=ff\n\n\xff\xff", b"Content-Type: text/plain; charset=no-such\n\nhei",
        b"Content-Type: text/plain; charset=utf-7\n\n+AGE-", b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b--",
        b"Content-Transfer-Encoding: base64\n\n!!!!", b"Content-Type: text/html; charset=idna\n\n<p>\xff",
        b"From: a@b.c\nFrom: d@e.f\nContent-Disposition: attachment; filename*=x''%ff\n\nx",
    ],
)  # fmt: skip
def test_any_bytes_are_some_mail(raw: bytes) -> None:
    read(raw)


@pytest.mark.parametrize(
    "header",
    ["Auto-Submitted: auto-replied", "Auto-Submitted: auto-generated; x=1", "Precedence: bulk", "X-Autoreply: yes",
     "X-Auto-Response-Suppress: All", "List-Id: <x>", "Content-Type: multipart/report; boundary=b"],
)  # fmt: skip
def test_what_a_machine_wrote_is_known(header: str) -> None:
    assert read(f"From: a@b.example\n{header}\n\nI am away".encode()).automatic
    assert not read(b"From: a@b.example\nAuto-Submitted: no\n\nHello").automatic


def test_files_are_what_was_attached_and_no_logos() -> None:
    mail = EmailMessage()
    mail["From"] = "bea@x.example"
    mail.set_content("See these")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="kvittering æ.pdf")
    mail.add_attachment(b"logo", maintype="image", subtype="gif", cid="<logo>", disposition="inline")
    found = read(bytes(mail))
    assert [(f.name, f.content) for f in found.files] == [("kvittering æ.pdf", PDF)]
    assert found.text == "See these"
