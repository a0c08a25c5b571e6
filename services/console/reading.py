"""From a service's JSON to what the pages use. An answer of another shape counts as none."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from services.console.calls import Answer
from services.console.errors import ServiceDown
from services.console.parts import ServiceName

M = TypeVar("M", bound=BaseModel)


def read(model: type[M], service: ServiceName, answer: Answer) -> M:
    """Raises ServiceDown where the service says something that this console does not understand."""
    try:
        return model.model_validate(answer.body)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ServiceDown(service, f"an answer that cannot be read: {model.__name__}.{place}: {first['msg']}") from None
