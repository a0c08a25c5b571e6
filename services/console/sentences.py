"""Sentences of the services with values in them, in the reader's language: what people meet when something is refused.

A service says what is wrong in English. Here are the sentences that a form can bring about, with places for their
values; what is none of them is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from services.console.language import N_, language, tr
from shared.languages import SOURCE

_PLACE: Final = re.compile(r"%\((\w+)\)s")
# More of a sentence is not looked at.
MOST: Final = 500
SENTENCES: Final[Sequence[str]] = (
    N_("is needed"),
    N_("must not be empty"),
    N_("must be more than zero"),
    N_("has %(count)s characters; at most %(most)s fit"),
    N_("is in %(currency)s; the order is in %(other)s"),
    N_("lies in the future"),
    N_("is in the past: it is %(day)s at the outlet (%(zone)s)"),
    N_("is too far ahead; the last possible day is %(day)s"),
    N_("must lie within a year from now"),
    N_("must be an http or https address of at most %(most)s characters"),
    N_("Not enough stock of %(what)s. Order less, or try again later."),
    # of items
    N_("nothing of %(sku)s has been sent"),
    N_("only %(left)s of %(sku)s can be accepted"),
    N_("nothing of %(sku)s can be accepted"),
    N_("only %(left)s of %(sku)s can be rejected"),
    N_("nothing of %(sku)s can be rejected"),
    N_("only %(left)s of %(sku)s can be sent"),
    N_("nothing of %(sku)s can be sent"),
    N_("only %(left)s of %(sku)s can be sent again"),
    N_("nothing of %(sku)s can be sent again"),
    N_("only %(left)s of %(sku)s can be returned"),
    N_("nothing of %(sku)s can be returned"),
    N_("only %(left)s of %(sku)s are not refunded yet"),
    N_("must be a whole number: the line has units"),
    N_("%(sku)s has units; a whole number is wanted"),
    N_("%(count)s line(s) still wait for a decision, the first is %(sku)s"),
    N_("not every line is rejected"),
    N_("not every quantity is accepted"),
    N_("something accepted is not sent yet"),
    N_("everything accepted has been sent"),
    # of units with codes
    N_("%(item)s: %(chosen)s of %(wanted)s units are selected; select the rest first"),
    N_("%(count)s units are named; %(wanted)s are wanted"),
    N_("names a unit twice"),
    N_("names a unit that another line has taken"),
    N_("names a unit that is not selected; select it first"),
    N_("name the %(count)s units that came back"),
    N_(
        "%(count)s of %(sku)s are to be sent and %(chosen)s units are chosen; select the units, "
        "and name those of this parcel"
    ),
    N_("is not a free unit of %(sku)s: none has the id or the code %(what)s"),
    # of money
    N_("nothing is outstanding; state the amount that came in"),
    N_("nothing is left to refund there"),
    N_("that refund is done already"),
    N_("%(amount)s is more than the %(left)s left to refund"),
    N_("%(amount)s is more than the %(left)s left of %(sku)s"),
    N_("goes with line_id, and without amount"),
    # of sending
    N_("give the carrier, the tracking number or the tracking link"),
    N_("the delivery method is %(method)s: give the carrier, the tracking number, or both"),
    # of files
    N_("is empty; choose another one"),
    N_("is one of the images; upload the invoice as a file of its own"),
    N_("are %(count)s; at most %(most)s are taken"),
    N_("must be an image"),
    N_("must be an image or a PDF"),
    N_("Only PNG, JPEG, GIF and WebP images are taken here."),
    N_("Only PNG, JPEG, GIF and WebP images and PDFs are taken here."),
    N_("Only JPEG, PNG and WebP images and PDFs are taken."),
    N_("The file is empty. Choose another one."),
    N_("The file has %(size)s; at most %(most)s are taken."),
    N_("The file has %(size)s bytes; at most %(most)s are taken."),
    N_("The attachments have %(size)s together; a message takes %(most)s."),
    # of who, and when
    N_("the channel %(channel)s takes no refund requests; contact it"),
    N_("the marketplace's setting %(setting)s is off"),
    N_("%(count)s issues are open; name one"),
)


def sentence(text: str) -> str:
    """What a service said, in the reader's language where it is a sentence known here or elsewhere in the console."""
    if language() == SOURCE or not text or len(text) > MOST:
        return text
    whole = tr(text)
    if whole != text:
        return whole
    for pattern, known in _patterns():
        if found := pattern.fullmatch(text):
            return tr(known, **found.groupdict())
    return text


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    """Those with places. What is longest in words of ours is tried first: "sent again" before "sent"."""
    with_places = sorted((s for s in SENTENCES if _PLACE.search(s)), key=lambda s: -len(_PLACE.sub("", s)))
    return [(re.compile(_pattern(s)), s) for s in with_places]


def _pattern(known: str) -> str:
    parts = _PLACE.split(known)
    return "".join(f"(?P<{part}>.+?)" if n % 2 else re.escape(part) for n, part in enumerate(parts))
