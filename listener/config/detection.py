"""The settings of detection: which labels make events, and how."""

from __future__ import annotations

from pydantic import Field

from listener.config.settings import Duration, Seconds, Settings, Threshold


class PolicySettings(Settings):
    """Replaces single values of the bundle's LabelPolicy."""

    on_threshold: Threshold | None = None
    off_threshold: Threshold | None = None
    smoothing_seconds: Duration | None = None
    min_duration_seconds: Duration | None = None
    max_gap_seconds: Duration | None = None
    refractory_seconds: Duration | None = None


class DetectionSettings(Settings):
    """Which labels make events, and how."""

    labels: tuple[str, ...] = ()  # slugs, beside groups; empty: groups, or all of the bundle
    patch_hop_seconds: Seconds | None = None  # None: the bundle's
    default_policy: PolicySettings = PolicySettings()
    policies: dict[str, PolicySettings] = Field(default_factory=dict)
