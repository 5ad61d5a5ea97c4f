"""Which labels are looked for, and how: the bundle's policies with the config's changes."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from importlib.resources import files

from pydantic import ValidationError

from listener.config.engine import DetectionSettings
from listener.config.outputs import QuietSettings
from listener.config.station import Config, ConfigError, GroupSettings
from listener.detection.bundle import Bundle, Label
from listener.detection.labels import LabelGroup, most_sensitive
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy

log = logging.getLogger(__name__)


# What somebody may have meant.


def near_hint(word: str, words: Iterable[str]) -> str:
    """The end of an error about an unknown word: those of `words` that are near to it, or nothing."""
    spelled = {known.casefold(): known for known in words}
    near = get_close_matches(word.casefold(), spelled, n=3, cutoff=0.5)
    # names of AudioSet have commas in them
    return f"; near to it: {' / '.join(spelled[match] for match in near)}" if near else ""


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
        group.label.slug: most_sensitive(bundles[member] for member in group.members)
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


# Which labels of a bundle are told of as one: the config's groups, and those of a ready set.


def choose_groups(bundle: Bundle, config: Config) -> tuple[LabelGroup, ...]:
    """The groups of the config, those of its set first; one of its own takes the place of the set's.

    A set knows more sounds than most bundles: of those the bundle has not, it does without. What a
    person has written is meant.

    Raises:
        ConfigError: a member that the bundle has not (the nearest is named), a group of nothing, or
            a set of which the bundle has nothing.
    """
    slugs = _slugs_by_name(bundle)
    ready = {} if config.label_set is None else read_label_set(config.label_set)
    own = {slug: group for slug, group in config.labels.items() if group.members}
    _check_left_out(config.labels, ready)
    found = {
        slug: _present(members, slugs)
        for slug, members in ready.items()
        if slug not in config.labels
    }
    _tell_of_set(bundle, config.label_set, found)
    groups = [_group(slug, None, members) for slug, members in found.items() if members]
    return (*groups, *(_own_group(slug, group, slugs, bundle) for slug, group in own.items()))


def read_label_set(name: str) -> dict[str, list[str]]:
    """The groups of a ready set: the names of the members of each, by its slug."""
    text = (files("listener") / "label_sets" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _slugs_by_name(bundle: Bundle) -> dict[str, str]:
    """The slug of each label by its slug and by its name, in lower case; a slug goes over a name."""
    labels = bundle.manifest.labels
    return {label.name.casefold(): label.slug for label in reversed(labels)} | {
        label.slug: label.slug for label in labels
    }


def _check_left_out(own: Mapping[str, GroupSettings], ready: Mapping[str, object]) -> None:
    for slug, group in own.items():
        if not group.members and slug not in ready:
            raise ConfigError(f"labels.{slug}: expected at least one label of the bundle, got none")


def _present(names: Sequence[str], slugs: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slugs[name] for word in names if (name := word.casefold()) in slugs))


def _tell_of_set(bundle: Bundle, label_set: str | None, found: Mapping[str, Sequence[str]]) -> None:
    if found and not any(found.values()):
        raise ConfigError(f"label_set: {bundle.id} has no sound of the set {label_set!r}")
    for slug in (slug for slug, members in found.items() if not members):
        log.warning("label_set %s: %s has no sound of the group %s", label_set, bundle.id, slug)


def _own_group(
    slug: str, group: GroupSettings, slugs: Mapping[str, str], bundle: Bundle
) -> LabelGroup:
    for name in group.members:
        if name.casefold() not in slugs:
            names = [label.name for label in bundle.manifest.labels]
            raise ConfigError(
                f"labels.{slug}: {bundle.id} has no label {name!r}{near_hint(name, names)}"
            )
    return _group(slug, group.name, _present(group.members, slugs))


def _group(slug: str, name: str | None, members: tuple[str, ...]) -> LabelGroup:
    return LabelGroup(Label(slug, name or slug.replace("_", " ").capitalize()), members)
