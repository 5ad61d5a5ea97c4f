"""How many false alarms a bundle was made to give at most."""

from __future__ import annotations

from listener.detection.bundle import Bundle
from trainer.report.card.policies import CALIBRATION
from trainer.report.card.retraining import RETRAINING

DEFAULT_FALSE_ALARMS_PER_DAY = 1.0


def budget_of(bundle: Bundle) -> float:
    """False alarms a day of all labels together, by its calibration."""
    for key in (RETRAINING, CALIBRATION):
        if key in bundle.manifest.provenance:
            return float(bundle.manifest.provenance[key]["false_alarms_per_day"])
    return DEFAULT_FALSE_ALARMS_PER_DAY
