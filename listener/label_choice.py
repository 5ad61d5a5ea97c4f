"""Which labels of a bundle are told of as one: the config's groups, and those of a ready set."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files

from listener.config.station import Config, ConfigError, GroupSettings
from listener.detection.bundle import Bundle, Label
from listener.detection.labels import LabelGroup
from listener.nearest import near_hint

log = logging.getLogger(__name__)


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
