"""What a station looks for and which clips it keeps: the bundle's policies with the config's changes."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
from pydantic import ValidationError

from listener.clips.extractor import ExtractionPlan
from listener.config.engine import DetectionSettings
from listener.config.outputs import QuietSettings
from listener.config.station import ClipsSettings, Config, ConfigError
from listener.detection import labels
from listener.detection.bundle import Bundle, Label
from listener.detection.labels import LabelGroup
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.pipeline.plan import ClipPlan, DetectionPlan
from listener.validation import first_problem

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """A label that makes events: its policy, and the labels of the bundle that it consists of."""

    policy: LabelPolicy
    members: tuple[str, ...]


def plan_station(bundle: Bundle, config: Config) -> DetectionPlan:
    """What a station looks for, and which clips it keeps.

    Raises:
        ConfigError: the config names a label that the bundle lacks, or impossible values.
    """
    groups = choose_groups(bundle, config)
    plan = make_detection_plan(bundle, config.detection, config.station, config.clips, groups)
    check_quiet_labels(config.quiet, plan.policies)
    return plan


def make_detection_plan(
    bundle: Bundle,
    settings: DetectionSettings,
    namespace: str,
    clips: ClipsSettings | None = None,
    groups: Sequence[LabelGroup] = (),
) -> DetectionPlan:
    """What is looked for, and which clips are kept; `namespace` (the station) makes event ids unique.

    Raises:
        ConfigError: the settings name a label that the bundle lacks, or impossible values.
    """
    policies = choose_policies(bundle, settings, groups)
    members = {group.label.slug: group.members for group in groups}
    chosen = {
        slug: ChosenLabel(policy, members.get(slug, (slug,))) for slug, policy in policies.items()
    }
    column_of = {slug: column for column, slug in enumerate(bundle.labels)}
    columns = labels.LabelColumns.of(
        [[column_of[member] for member in label.members] for label in chosen.values()]
    )
    params = choose_params(bundle, settings)
    kept = None if clips is None or not clips.enabled else make_clip_plan(bundle, clips, chosen)
    return DetectionPlan(
        params, policies, columns, bundle.id, namespace, clips=kept, groups=tuple(groups)
    )


def make_clip_plan(
    bundle: Bundle, settings: ClipsSettings, chosen: Mapping[str, ChosenLabel]
) -> ClipPlan:
    """Which clips are kept.

    Speech is recognised by all labels of the bundle, also by those that make no events. No clip is kept
    of a group with a private member.

    Raises:
        ConfigError: a private label that the bundle lacks.
    """
    private = set() if settings.keep_speech else set(labels.SPEECH_LABELS)
    for slug in settings.private_labels:
        if slug not in bundle.labels and slug not in chosen:
            raise ConfigError(f"clips.private_labels: {bundle.id} has no label {slug!r}")
        private |= set(chosen[slug].members) if slug in chosen else {slug}
    columns = [column for column, slug in enumerate(bundle.labels) if slug in private]
    thresholds = [_private_from(bundle.labels[column], bundle, chosen) for column in columns]
    extraction = ExtractionPlan(
        frozenset(slug for slug, label in chosen.items() if private.isdisjoint(label.members)),
        settings.pre_seconds,
        settings.post_seconds,
        settings.max_seconds,
        settings.near_misses_per_hour,
        settings.ambient_per_hour,
    )
    scores = labels.PrivateScores(np.array(columns, np.intp), np.array(thresholds, np.float32))
    return ClipPlan(extraction, scores)


def _private_from(slug: str, bundle: Bundle, chosen: Mapping[str, ChosenLabel]) -> float:
    """The score from which a private label counts: the lowest off threshold of its events."""
    own = chosen.get(slug)
    alone = own is not None and own.members == (slug,)
    policies = [label.policy for label in chosen.values() if slug in label.members]
    if not alone:  # a group with higher thresholds must not make speech less private
        policies.append(bundle.manifest.policies[slug])
    return min(policy.off_threshold for policy in policies)


def choose_policies(
    bundle: Bundle, settings: DetectionSettings, groups: Sequence[LabelGroup] = ()
) -> dict[str, LabelPolicy]:
    """The policy of each label that makes events: groups, then labels in the order of the scores.

    A group replaces a label of the bundle with its slug. Before the config's changes its policy is the
    most alert one of its members.

    Raises:
        ConfigError: a label that the bundle lacks (the nearest is named), or impossible thresholds.
    """
    of_bundle = bundle.manifest.policies
    policies = {
        group.label.slug: labels.most_sensitive(of_bundle[member] for member in group.members)
        for group in groups
    }
    wanted = {*policies, *settings.labels} or set(bundle.labels)
    policies |= {slug: of_bundle[slug] for slug in bundle.labels if slug not in policies}
    for slug in (*settings.labels, *settings.policies):
        if slug not in policies:
            hint = _near_hint(slug, policies)
            raise ConfigError(f"detection: {bundle.id} has no label {slug!r}{hint}")
    changes = {slug: own.model_dump(exclude_none=True) for slug, own in settings.policies.items()}
    for_all = settings.default_policy.model_dump(exclude_none=True)
    chosen = {}
    for slug in (slug for slug in policies if slug in wanted):
        try:
            chosen[slug] = replace(policies[slug], **for_all | changes.get(slug, {}))
        except ValidationError as error:
            message = first_problem(error).message
            raise ConfigError(f"detection.policies.{slug}: {message}") from error
    return chosen


def choose_params(bundle: Bundle, settings: DetectionSettings) -> FeatureParams:
    """The bundle's front end, at the config's patch hop if it sets one.

    Raises:
        ConfigError: a patch hop that is no multiple of the STFT hop, or longer than a patch.
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


def check_quiet_labels(hours: Iterable[QuietSettings], chosen: Collection[str]) -> None:
    """Raises ConfigError for a quiet label that makes no events anyway; names the nearest."""
    for quiet in hours:
        for slug in (*(quiet.labels or ()), *(quiet.all_but or ())):
            if slug not in chosen:
                hint = _near_hint(slug, chosen)
                raise ConfigError(f"quiet: no label {slug!r} makes events{hint}")


def choose_groups(bundle: Bundle, config: Config) -> tuple[LabelGroup, ...]:
    """The groups of the config: those of its ready set, then its own, which replace the set's.

    A set names more sounds than most bundles know; the missing ones are left out. In a group that a
    person wrote every member must exist.

    Raises:
        ConfigError: a member that the bundle lacks (the nearest is named), an empty group, or a set of
            which the bundle knows nothing.
    """
    of_bundle = bundle.manifest.labels
    slugs = {label.name.casefold(): label.slug for label in reversed(of_bundle)}
    slugs |= {label.slug: label.slug for label in of_bundle}  # a slug outranks a name
    ready = {} if config.label_set is None else labels.read_label_set(config.label_set)
    found = {
        slug: _known(members, slugs) for slug, members in ready.items() if slug not in config.labels
    }
    if found and not any(found.values()):
        raise ConfigError(f"label_set: {bundle.id} has no sound of the set {config.label_set!r}")
    groups = [_group(slug, None, members) for slug, members in found.items() if members]
    for slug in (slug for slug, members in found.items() if not members):
        message = "label_set %s: %s has no sound of the group %s"
        log.warning(message, config.label_set, bundle.id, slug)
    for slug, own in config.labels.items():
        if not own.members and slug not in ready:
            raise ConfigError(f"labels.{slug}: expected at least one label of the bundle, got none")
        for name in own.members:
            if name.casefold() not in slugs:
                hint = _near_hint(name, (label.name for label in of_bundle))
                raise ConfigError(f"labels.{slug}: {bundle.id} has no label {name!r}{hint}")
        if own.members:  # none leaves a group of the set out
            groups.append(_group(slug, own.name, _known(own.members, slugs)))
    return tuple(groups)


def _known(names: Iterable[str], slugs: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slugs[name] for word in names if (name := word.casefold()) in slugs))


def _group(slug: str, name: str | None, members: tuple[str, ...]) -> LabelGroup:
    return LabelGroup(Label(slug, name or slug.replace("_", " ").capitalize()), members)


def _near_hint(word: str, words: Iterable[str]) -> str:
    """The end of an error about an unknown word: the words near to it, if there are any."""
    spelled = {known.casefold(): known for known in words}
    near = get_close_matches(word.casefold(), spelled, n=3, cutoff=0.5)
    # names of AudioSet contain commas
    return f"; near to it: {' / '.join(spelled[match] for match in near)}" if near else ""
