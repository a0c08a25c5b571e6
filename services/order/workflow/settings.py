"""The marketplace's settings, read by the lifecycle's own declarations."""

from __future__ import annotations

from collections.abc import Mapping

from services.order.workflow.lifecycle import Lifecycle, Setting

_FLAGS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def _read(setting: Setting, text: str) -> bool | int:
    """The value of a text. Raises ValueError with what is wanted."""
    if isinstance(setting.default, bool):
        try:
            return _FLAGS[text.strip().lower()]
        except KeyError:
            raise ValueError("true or false is wanted") from None
    wanted = f"a whole number from {setting.min} to {setting.max} is wanted"
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 9):
        raise ValueError(wanted)
    value = int(plain)
    if not setting.min <= value <= setting.max:
        raise ValueError(wanted)
    return value


def effective(lifecycle: Lifecycle, given: Mapping[str, str]) -> dict[str, bool | int]:
    """Every setting of the lifecycle; a given text that cannot be read leaves the default in force."""
    values: dict[str, bool | int] = {}
    for name, setting in lifecycle.settings.items():
        values[name] = setting.default
        if name in given:
            try:
                values[name] = _read(setting, given[name])
            except ValueError:
                continue
    return values


def setting_problems(lifecycle: Lifecycle, given: Mapping[str, str]) -> list[str]:
    """What is wrong with the given settings, for whoever stores them. Names of other lifecycles' settings pass."""
    problems = []
    for name, text in given.items():
        if name in lifecycle.settings:
            try:
                _read(lifecycle.settings[name], text)
            except ValueError as e:
                problems.append(f"{name} is {text!r}: {e}")
    return problems
