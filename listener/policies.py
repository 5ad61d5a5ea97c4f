"""Which labels are looked for, and how: the bundle's policies with the config's changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace

from pydantic import ValidationError

from listener.config.engine import DetectionSettings
from listener.config.outputs import QuietSettings
from listener.config.station import ConfigError
from listener.detection.bundle import Bundle
from listener.detection.labels import LabelGroup, most_alert
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.nearest import near_hint


def choose_policies(
    bundle: Bundle, settings: DetectionSettings, groups: Sequence[LabelGroup] = ()
) -> dict[str, LabelPolicy]:
    """The policy of each label that is looked for: groups, then labels in the order of the bundle's scores.

    A group takes the place of a label of the bundle that has its slug. Its policy is the most alert of
    its members', before the config's changes.

    Raises:
        ConfigError: a label that the bundle has not (the nearest is named), or impossible thresholds.
    """
    bundles = bundle.manifest.policies
    made = {
        group.label.slug: most_alert(bundles[member] for member in group.members)
        for group in groups
    }
    policies = {**made, **{slug: bundles[slug] for slug in bundle.labels if slug not in made}}
    for slug in (*settings.labels, *settings.policies):
        _check_label(slug, bundle, policies)
    wanted = {*made, *settings.labels} or policies.keys()
    for_all = settings.default_policy.model_dump(exclude_none=True)
    return {
        slug: _adjusted(slug, policy, for_all | _own(slug, settings))
        for slug, policy in policies.items()
        if slug in wanted
    }


def _check_label(slug: str, bundle: Bundle, known: Collection[str]) -> None:
    if slug not in known:
        hint = near_hint(slug, known)
        raise ConfigError(f"detection: {bundle.id} has no label {slug!r}{hint}")


def _own(slug: str, settings: DetectionSettings) -> dict[str, float]:
    policy = settings.policies.get(slug)
    return {} if policy is None else policy.model_dump(exclude_none=True)


def _adjusted(slug: str, policy: LabelPolicy, changes: dict[str, float]) -> LabelPolicy:
    if not changes:
        return policy
    try:
        return LabelPolicy(**asdict(policy) | changes)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"detection.policies.{slug}: {message}") from error


def choose_params(bundle: Bundle, settings: DetectionSettings) -> FeatureParams:
    """The bundle's front end, at the patch hop of the config if it sets one.

    Raises:
        ConfigError: a patch hop that is not a multiple of the STFT hop, or longer than a patch.
    """
    params = bundle.manifest.features
    if settings.patch_hop_seconds is None:
        return params
    try:
        return replace(params, patch_hop_seconds=settings.patch_hop_seconds)
    except ValueError as error:
        raise ConfigError(
            f"detection.patch_hop_seconds: expected a multiple of {params.stft_hop_seconds} "
            f"up to {params.patch_seconds}, got {settings.patch_hop_seconds}"
        ) from error


def check_quiet_labels(hours: Iterable[QuietSettings], looked_for: Collection[str]) -> None:
    """Raises ConfigError for a label that makes no events and so cannot be quiet, with the nearest."""
    for quiet in hours:
        for slug in (*(quiet.labels or ()), *(quiet.all_but or ())):
            if slug not in looked_for:
                hint = near_hint(slug, looked_for)
                raise ConfigError(f"quiet: no label {slug!r} makes events{hint}")
