"""How the mailbox treats its next callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["accept", "defer", "refuse", "tarpit", "drop"]
Stage = Literal["mail", "rcpt", "data"]
MOST_SECONDS = 300.0


@dataclass(frozen=True)
class Behaviour:
    """`defer` answers 451, `refuse` 550, `tarpit` waits `seconds` and then goes on, `drop` closes the connection.

    At `stage`: after MAIL, after each RCPT, or after the whole message was received; a message dropped there was
    kept, and its sender cannot know. Only for recipients that contain `match` (at MAIL: for everybody). The next
    `times` times, then everything is accepted again; None: until changed.
    """

    mode: Mode = "accept"
    stage: Stage = "data"
    match: str = ""
    times: int | None = None
    seconds: float = 10.0

    @classmethod
    def parse(cls, raw: object) -> Behaviour:
        """From decoded JSON. Raises ValueError that says what is wrong."""
        if not isinstance(raw, dict) or not set(raw) <= {"mode", "stage", "match", "times", "seconds"}:
            raise ValueError("expected an object with mode, stage, match, times, seconds")
        made = cls(**raw)
        if made.mode not in get_args(Mode) or made.stage not in get_args(Stage):
            raise ValueError(f"mode is one of {get_args(Mode)}, stage one of {get_args(Stage)}")
        if not isinstance(made.match, str):
            raise ValueError("match is text")
        if made.times is not None and (not isinstance(made.times, int) or made.times < 1):
            raise ValueError("times is a whole number from 1, or null")
        if not isinstance(made.seconds, int | float) or not 0 <= made.seconds <= MOST_SECONDS:
            raise ValueError(f"seconds is 0 to {MOST_SECONDS:.0f}")
        return made

    def applies(self, stage: Stage, recipients: list[str]) -> bool:
        if self.mode == "accept" or stage != self.stage:
            return False
        return stage == "mail" or any(self.match in recipient for recipient in recipients)
