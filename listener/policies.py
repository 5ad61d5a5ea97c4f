"""Which labels of a bundle are looked for, and how: the bundle's policies with the config's changes."""

from __future__ import annotations

from dataclasses import asdict, replace
from difflib import get_close_matches

from pydantic import ValidationError

from listener.config import ConfigError, DetectionSettings
from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy


def choose_policies(bundle: Bundle, settings: DetectionSettings) -> dict[str, LabelPolicy]:
    """The policy of each label that is looked for, in the order of the bundle's scores.

    Raises:
        ConfigError: a label that the bundle has not (the nearest is named), or impossible thresholds.
    """
    for slug in (*settings.labels, *settings.policies):
        _check_label(slug, bundle)
    wanted = set(settings.labels or bundle.labels)
    for_all = settings.default_policy.model_dump(exclude_none=True)
    return {
        slug: _adjusted(slug, bundle.manifest.policies[slug], for_all | _own(slug, settings))
        for slug in bundle.labels
        if slug in wanted
    }


def _check_label(slug: str, bundle: Bundle) -> None:
    if slug in bundle.labels:
        return
    near = get_close_matches(slug, bundle.labels, n=3, cutoff=0.5)
    hint = f"; near to it: {', '.join(near)}" if near else ""
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
