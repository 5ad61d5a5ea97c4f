"""`trainer search` for real: shared, killed and continued; each mistake is one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from listener.detection.bundle import Bundle, read_bundle
from tests.rigs.mosquitto import wait_until
from tests.shared import ROOT
from tests.trainer.search.studies import assert_every_slot_has_one_finished_trial
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run
from tests.trainer.training.tones import write_tones
from trainer.errors import FitError, SearchError
from trainer.search.search import SearchRequest, search_recipe
from trainer.search.storage import open_storage
from trainer.search.trials import SLOT, WORKER

COUNT = 2


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones") / "data")


@pytest.fixture
def request_of_tones(tones: Path, tones_bundle: Bundle, tmp_path: Path) -> SearchRequest:
    return SearchRequest(
        data=(tones,),
        out=tmp_path / "out",
        backbone=str(tones_bundle.path),
        cache=tmp_path / "cache",
        trials=1,
        study="tones",
        folds=(1, 2),
    )


@contextmanager
def searching(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "trainer", "search", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_trials(journal: Path) -> list[FrozenTrial]:
    with open_storage(str(journal)) as storage:
        names = optuna.get_all_study_names(storage)
        return optuna.load_study(study_name=names[0], storage=storage).trials if names else []


def running(journal: Path) -> list[FrozenTrial]:
    """The trials that have started and not ended."""
    trials = read_trials(journal)
    return [t for t in trials if t.state == TrialState.RUNNING and WORKER in t.user_attrs]


def stopped_in_a_trial(process: subprocess.Popen[str], journal: Path) -> bool:
    """Stop the process, unless its trial turns out to have ended just before."""
    if not running(journal):
        return False
    process.send_signal(signal.SIGSTOP)
    if running(journal):
        return True
    process.send_signal(signal.SIGCONT)
    return False


def test_two_processes_share_a_study_and_lose_no_trial_when_one_is_killed(
    tones: Path, tones_bundle: Bundle, tmp_path: Path
):
    """And `trainer fit` uses the best recipe, where command-line options override it."""
    journal, out = tmp_path / "study.journal", tmp_path / "out"
    data = ["--data", tones, "--backbone", tones_bundle.path, "--cache", tmp_path / "cache"]
    shared = [*data, "--trials", COUNT, "--storage", journal, "--folds", 1, "--folds", 2]
    with searching(*shared, "--out", tmp_path / "none") as victim:
        wait_until(lambda: stopped_in_a_trial(victim, journal), 100, "a trial to kill")
        with searching(*shared, "--out", out, "--grace", 3) as other:
            victim.send_signal(signal.SIGKILL)
            stdout, stderr = other.communicate(timeout=100)
    assert other.returncode == 0, stderr
    assert stdout == f"{out / 'best.json'}\n"
    trials = read_trials(journal)
    assert_every_slot_has_one_finished_trial(trials, COUNT)
    (killed,) = (t for t in trials if WORKER in t.user_attrs and t.state == TrialState.FAIL)
    (again,) = (t for t in trials if t.state != TrialState.FAIL and t.params == killed.params)
    assert again.user_attrs[SLOT] == killed.user_attrs[SLOT]
    assert again.user_attrs[WORKER] != killed.user_attrs[WORKER]
    best = json.loads((out / "best.json").read_text())
    assert best["found"]["accuracy"] == max(t.value or 0.0 for t in trials)

    options = ["--lesson", out / "best.json", "--epochs", 1, "--folds", 1]
    fitted = run("fit", *data, *options, "--out", tmp_path / "bundle")
    assert fitted.returncode == 0, fitted.stderr
    learnt = read_bundle(tmp_path / "bundle").manifest.provenance["lesson"]
    assert learnt["fit"].pop("max_epochs") == 1
    assert best["lesson"]["fit"].pop("max_epochs") > 1
    assert learnt == best["lesson"]


def test_a_study_continues_but_not_with_other_folds(request_of_tones: SearchRequest):
    """Each fold is held out in turn; the tones are separable by construction."""
    path = search_recipe(request_of_tones)
    found = json.loads(path.read_text())["found"]
    assert (found["accuracy"], found["folds"]) == (1.0, [1, 2])
    assert search_recipe(request_of_tones) == path
    assert len(read_trials(request_of_tones.out / "study.journal")) == 1
    with pytest.raises(SearchError, match="study tones: expected the same data, folds as"):
        search_recipe(replace(request_of_tones, folds=(1, 3)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"folds": (1,)}, SearchError, r"folds: expected at least 2, .* got \[1\]"),
        ({"folds": (1, 9)}, FitError, r"folds: expected some of \[1, 2, 3, 4, 5\], got \[9\]"),
        ({"storage": "mysql://host/x"}, SearchError, "storage: expected a path, .* got mysql://"),
    ],
)
def test_an_impossible_search_is_refused(
    request_of_tones: SearchRequest, change, error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        search_recipe(replace(request_of_tones, **change))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--trials", "0"], "'--trials': Input should be greater than or equal to 1"),
        ([], "Missing option '--trials'"),
        (["--trials", "1", "--sampler", "best"], "'best' is not one of"),
        (["--trials", "1", "--thaw", "15"], "'--thaw': Input should be less than or equal to 14"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], part: str):
    assert_one_line(run("search", "--data", "none", *arguments), 2, part)


def test_an_unreachable_storage_is_one_line(tmp_path: Path):
    arguments = ["--data", "none", "--trials", 1, "--out", tmp_path]
    result = run("search", *arguments, "--storage", "sqlite:////no/such/folder/study.db")
    assert_one_line(result, 3, "storage sqlite:////no/such/folder/study.db: cannot be opened")


def test_the_help_needs_no_tensorflow():
    result = run("search", "--help", start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert "Example: trainer search --data" in result.stdout


def test_the_command_line_loads_neither_optuna_nor_matplotlib():
    code = "import sys, trainer.cli; sys.exit(bool({'optuna', 'matplotlib'} & sys.modules.keys()))"
    assert run(start=("-c", code)).returncode == 0
