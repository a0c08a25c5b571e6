"""The settings of a marketplace that are known by name: what may stand in them.

They are kept as text and told to every service with member.changed. A lifecycle that was added by an operator may
have settings of its own: names that are not listed here pass, and whoever reads them judges them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """Whether a text fits, and what is wanted, as the end of a sentence that begins with the setting's name."""

    fits: Callable[[str], bool]
    wanted: str


def _whole(least: int, most: int) -> Rule:
    def fits(text: str) -> bool:
        return text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most

    return Rule(fits, f"is a whole number from {least} to {most}")


def _fraction(text: str) -> bool:
    try:
        return len(text) <= 8 and 0 <= Decimal(text) <= 1
    except ArithmeticError:
        return False


def _kinds(text: str) -> bool:
    return text == "none" or set(text.split(",")) <= {"email", "phone", "link"}


def _files(text: str) -> bool:
    return text == "none" or set(text.split(",")) <= {"image", "pdf"}


_FLAG: Final = Rule(lambda text: text in ("true", "false"), "is true or false")
KNOWN_SETTINGS: Final[dict[str, Rule]] = {
    # the order service's lifecycles: the ranges are those of their files
    "acknowledge_due_hours": _whole(1, 720),
    "acknowledge_overdue_hours": _whole(1, 1_440),
    "ship_within_days": _whole(1, 365),
    "evidence_days": _whole(1, 120),
    "auto_close_days": _whole(0, 365),
    "abandon_after_days": _whole(0, 365),
    "allow_auto_accept": _FLAG,
    "allow_partial": _FLAG,
    "operator_may_process": _FLAG,
    "commission_rate": Rule(_fraction, "is a fraction such as 0.12 for 12 %"),
    # messaging
    "message_masking": Rule(_kinds, "is none, or some of email,phone,link separated by commas"),
    "message_attachments": Rule(_files, "is none, or some of image,pdf separated by commas"),
    "phone_region": Rule(lambda t: len(t) == 2 and t.isascii() and t.isalpha() and t.isupper(), "is a country: NO"),
}
