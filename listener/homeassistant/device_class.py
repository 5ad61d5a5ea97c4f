"""Which device class a label's binary sensor has, by the words of its slug.

Only a label that stands for the thing itself gets that thing's class: a smoke alarm that is heard means
smoke, water that runs does not mean a wet floor. The classes are those of
https://www.home-assistant.io/integrations/binary_sensor/#device-class.
"""

from __future__ import annotations

import re

# All words of a row are in the slug; the first row that fits counts.
_BY_WORDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"smoke"}), "smoke"),
    (frozenset({"fire", "alarm"}), "smoke"),
    (frozenset({"co", "alarm"}), "carbon_monoxide"),
    (frozenset({"carbon", "monoxide"}), "carbon_monoxide"),
    (frozenset({"gas", "alarm"}), "gas"),
    (frozenset({"gas", "leak"}), "gas"),
    (frozenset({"water", "leak"}), "moisture"),
    (frozenset({"leak", "alarm"}), "moisture"),
)
_ANY_OTHER = "sound"


def device_class(label: str) -> str:
    """Home Assistant's device class for a label (its slug)."""
    words = set(re.split(r"[_-]", label))
    return next((name for wanted, name in _BY_WORDS if wanted <= words), _ANY_OTHER)
