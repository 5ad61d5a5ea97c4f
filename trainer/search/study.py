"""A study: made or found, and only ever of one thing."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.storages import BaseStorage

from trainer.errors import SearchError

ABOUT = "about"  # the study's attribute that says what it is a study of

# A fold is a few dozen clips: what the first one alone says is mostly chance.
_PRUNER = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)


def open_study(storage: BaseStorage, name: str, about: Mapping[str, str]) -> optuna.Study:
    """The study of this name, made if it is not there; more is better, and the worse half is pruned.

    `about` tells apart what must not be mixed in one study: data, folds, space.

    Raises:
        SearchError: the study is about something else.
    """
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", pruner=_PRUNER, load_if_exists=True
    )
    if ABOUT not in study.user_attrs:
        study.set_user_attr(ABOUT, dict(about))
    check_about(study, about)
    return study


def check_about(study: optuna.Study, about: Mapping[str, str]) -> None:
    """Refuse to add trials of one thing to a study of another.

    Raises:
        SearchError: it names what differs.
    """
    there = study.user_attrs[ABOUT]
    other = sorted(key for key in there.keys() | about if there.get(key) != about.get(key))
    if other:
        raise SearchError(
            f"study {study.study_name}: expected the same {', '.join(other)} as in its other trials: "
            "choose another name with --study"
        )
