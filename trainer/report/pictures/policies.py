"""Where each label's policy opens and closes events."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from listener.detection.policy import LabelPolicy
from trainer.report.pictures.canvas import one_axes

_INCHES_A_LABEL = 0.28


def draw_policies(policies: Mapping[str, LabelPolicy]) -> Figure:
    """A bar from off_threshold to on_threshold for each label."""
    figure, axes = one_axes(1.2 + _INCHES_A_LABEL * len(policies), "Thresholds")
    rows = np.arange(len(policies))
    on = np.array([policy.on_threshold for policy in policies.values()])
    off = np.array([policy.off_threshold for policy in policies.values()])
    axes.barh(rows, on - off, left=off, height=0.4, color="C0", alpha=0.4)
    axes.plot(on, rows, "o", color="C3", label="opens")
    axes.plot(off, rows, "o", color="C0", label="closes")
    axes.set_yticks(rows, list(policies), fontsize="small")
    axes.set(xlabel="smoothed score", xlim=(0.0, 1.02))
    axes.invert_yaxis()
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return figure
