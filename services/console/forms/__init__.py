"""Forms made from the JSON Schema of an action's parameters, and what people filled in, turned back into parameters."""

from services.console.forms.building import build, quantity
from services.console.forms.fields import Choice, Field, Form, LineRow, UnitChoice
from services.console.forms.filling import Files, Filled, filled

__all__ = [
    "Choice",
    "Field",
    "Files",
    "Filled",
    "Form",
    "LineRow",
    "UnitChoice",
    "became",
    "build",
    "filled",
    "quantity",
]
