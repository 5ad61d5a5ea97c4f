"""Pictures of a search, as many as its trials allow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage

from trainer.search.plan import make_plan
from trainer.search.plots import write_plots
from trainer.search.space import make_space
from trainer.search.study import open_study
from trainer.search.worker import Worker

ALL = ["history.png", "importances.png", "parallel.png", "slice.png"]


@pytest.mark.parametrize(
    ("count", "value_of", "names"),
    [
        (1, lambda _params: 0.9, ["history.png"]),
        (3, lambda _params: 1.0, ["history.png"]),
        (4, lambda params: 1.0 - params["dropout"], ALL),
    ],
)
def test_the_pictures_of_a_study(
    tmp_path: Path, count: int, value_of: Callable[[dict[str, float]], float], names: list[str]
):
    study = open_study(InMemoryStorage(), "pictures", {})
    plan = make_plan("random", count, make_space(0), seed=0)
    objective: Callable[[optuna.Trial], float] = lambda trial: value_of(trial.params)  # noqa: E731
    Worker(study, plan, objective, 60.0).run(lambda _trial: None)
    write_plots(study, tmp_path / "plots")
    written = sorted((tmp_path / "plots").iterdir())
    assert [path.name for path in written] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
