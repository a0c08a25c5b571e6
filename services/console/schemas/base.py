"""What all that is read has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Read(BaseModel):
    """Unknown fields are passed over: services may add to their answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")
