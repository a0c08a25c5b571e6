"""Why something may not happen: typed refusals with stable codes. Nothing has changed when one is raised."""

from __future__ import annotations

from typing import Any, ClassVar


class Refused(Exception):
    """Base: `code` is stable, `detail` says what is wrong and how to mend it, `more` is JSON-able."""

    STATUS: ClassVar[int] = 409

    def __init__(self, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.more = more


class NotVisible(Refused):
    """The actor may not know of the order (answer as for an absent one)."""

    STATUS = 404


class UnknownAction(Refused):
    """The order's lifecycle has no action of that name."""

    STATUS = 404


class NotAllowed(Refused):
    """The action exists, and is not for this actor."""

    STATUS = 403


class WrongState(Refused):
    """The action is for this actor, and not in the order's present state."""

    STATUS = 409


class GuardFailed(Refused):
    """Role and state are right, and a condition does not hold; `code` is the guard's name."""

    STATUS = 409


class BadParams(Refused):
    """The parameters are wrong; `more["errors"]` lists `{"path", "message"}`."""

    STATUS = 422

    def __init__(self, errors: list[tuple[str, str]], code: str = "bad_params") -> None:
        text = "; ".join(f"{path}: {message}" if path else message for path, message in errors[:5])
        super().__init__(code, text, errors=[{"path": p, "message": m} for p, m in errors[:50]])


class BadOrder(BadParams):
    """A submitted order that cannot be placed; `more["errors"]` as for BadParams."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        super().__init__(list(errors), code="bad_order")


class LifecycleFault(Refused):
    """A lifecycle that passed the linter and still cannot be run (its automatic transitions do not end)."""

    STATUS = 409

    def __init__(self, detail: str) -> None:
        super().__init__("lifecycle_fault", f"{detail}; mend the lifecycle and add it as a new version")
