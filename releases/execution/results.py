"""Reading what came back: a pipeline's texts become typed outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.errors import Fault, InvalidInput
from processes import inputs as typed_inputs


def read_outputs(
    declarations: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]
) -> tuple[dict[str, Any], list[Fault]]:
    """Return the typed outputs, and a fault for each that cannot be read as declared; undeclared ones stay text."""
    outputs: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, text in texts.items():
        declaration = declarations.get(name)
        if declaration is None:
            outputs[name] = text
            continue
        try:
            outputs[name] = typed_inputs.coerce_text(declaration, text)
        except InvalidInput as error:
            faults.append(Fault(f"outputs.{name}", error.message))
    return outputs, faults
