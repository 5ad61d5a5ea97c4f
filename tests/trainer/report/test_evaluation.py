"""When and on what a bundle is judged."""

from __future__ import annotations

from pathlib import Path

from trainer.report.evaluation import describe_run


def test_an_evaluation_names_folds_and_licences(tmp_path: Path):
    run = describe_run([tmp_path], [2, 1, 2], [], seen=False)
    assert run.folds == (1, 2)
    assert run.licences == {str(tmp_path): "not stated"}
