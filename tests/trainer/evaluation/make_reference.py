"""Makes reference.json: cases, and what sed_eval and sed_scores_eval say of them.

They need a compiler, librosa, numba and an old pandas, and minutes to install, so the tests read
their figures from the file instead. To make it again, with any Python environment that has them:

    pip install sed_eval==0.2.1 sed_scores_eval==0.0.4 'pandas<3' scikit-learn
    python tests/trainer/evaluation/make_reference.py
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ["dog", "rain", "siren"]
SLOTS, SLOT_SECONDS, FILES = 40, 0.25, 8
THRESHOLDS = [0.3, 0.5, 0.7]
COLLARS = [0.2, 0.5, 1.0]

# none of these ships types
sed_eval = import_module("sed_eval")
dcase = import_module("dcase_util")
sse = import_module("sed_scores_eval")
create_score_dataframe = import_module("sed_scores_eval.base_modules.scores").create_score_dataframe
scores_to_event_list = import_module("sed_scores_eval.base_modules.detection").scores_to_event_list
sklearn = import_module("sklearn.metrics")


def make_case(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"files": [make_file(rng) for _ in range(FILES)]}


def make_file(rng: np.random.Generator) -> dict[str, Any]:
    """Truth at times that no collar meets exactly; noisy scores of two decimals, so that they tie."""
    truth: list[Any] = []
    clean = np.full((SLOTS, len(LABELS)), 0.2)
    for _ in range(rng.integers(1, 6)):
        label = int(rng.integers(len(LABELS)))
        onset = round(float(rng.uniform(0.0, 8.0)), 4)
        offset = round(min(onset + float(rng.uniform(0.3, 4.0)), SLOTS * SLOT_SECONDS), 4)
        if any(t[2] == LABELS[label] and t[0] < offset and onset < t[1] for t in truth):
            continue  # spans of one label do not overlap
        truth.append([onset, offset, LABELS[label]])
        first, last = int(onset / SLOT_SECONDS), int(offset / SLOT_SECONDS) + 1
        clean[first:last, label] = 0.7
        clean[first:last, (label + 1) % len(LABELS)] += float(rng.choice([0.1, 0.6]))
    noise = rng.normal(0.0, 0.12, clean.shape)
    noise = (noise + np.roll(noise, 1, axis=0)) / 1.4
    scores = np.clip(clean + noise, 0.0, 1.0).round(2)
    return {"truth": truth, "scores": scores.tolist()}


def judge_case(case: dict[str, Any]) -> dict[str, Any]:
    boundaries = np.arange(SLOTS + 1) * SLOT_SECONDS
    frames = {
        f"{i}": create_score_dataframe(np.array(file["scores"]), boundaries, LABELS)
        for i, file in enumerate(case["files"])
    }
    truth = {f"{i}": [tuple(t) for t in file["truth"]] for i, file in enumerate(case["files"])}
    seconds = dict.fromkeys(frames, SLOTS * SLOT_SECONDS)
    return {
        "psds": [
            {"max_per_hour": rate}
            | {"psds1": psds(frames, truth, seconds, 0.7, 0.7, None, 0.0, rate)}
            | {"psds2": psds(frames, truth, seconds, 0.1, 0.1, 0.3, 0.5, rate)}
            for rate in (100.0, 1000.0)
        ],
        "collar": [
            {"threshold": t, "collar": c} | collar(frames, truth, t, c)
            for t in THRESHOLDS
            for c in COLLARS
        ],
        "intersection": [{"threshold": t} | intersection(frames, truth, t) for t in THRESHOLDS],
    }


def psds(frames, truth, seconds, dtc, gtc, cttc, alpha_ct, max_efpr) -> float:
    value, *_ = sse.intersection_based.psds(
        frames,
        truth,
        seconds,
        dtc_threshold=dtc,
        gtc_threshold=gtc,
        cttc_threshold=cttc,
        alpha_ct=alpha_ct,
        alpha_st=1.0,
        max_efpr=max_efpr,
    )
    return float(value)


def intersection(frames, truth, threshold: float) -> dict[str, Any]:
    f1, *_ = sse.intersection_based.fscore(
        frames, truth, threshold, dtc_threshold=0.5, gtc_threshold=0.5
    )
    return {"f1": {label: float(f1[label]) for label in LABELS}}


def collar(frames, truth, threshold: float, seconds: float) -> dict[str, Any]:
    """By sed_eval, event by event; nan (nothing there, nothing found) as None."""
    metrics = sed_eval.sound_event.EventBasedMetrics(
        event_label_list=LABELS, t_collar=seconds, percentage_of_length=0.2
    )
    for name, frame in frames.items():
        found = scores_to_event_list(frame, np.full(len(LABELS), threshold))
        metrics.evaluate(container(name, truth[name]), container(name, found))
    counts = {label: metrics.class_wise[label] for label in LABELS}
    return {
        "hits": {label: int(each["Ntp"]) for label, each in counts.items()},
        "false_alarms": {label: int(each["Nfp"]) for label, each in counts.items()},
        "misses": {label: int(each["Nfn"]) for label, each in counts.items()},
        "macro_f1": float(metrics.results_class_wise_average_metrics()["f_measure"]["f_measure"]),
        "micro_f1": float(metrics.results_overall_metrics()["f_measure"]["f_measure"]),
    }


def container(name: str, events: list[Any]) -> Any:
    return dcase.containers.MetaDataContainer(
        [
            {"filename": name, "onset": float(e[0]), "offset": float(e[1]), "event_label": e[2]}
            for e in events
        ]
    )


def judge_ranking(seed: int) -> dict[str, Any]:
    """Scores of one label over 60 clips, with ties, judged by scikit-learn."""
    rng = np.random.default_rng(seed)
    targets = rng.random(60) < 0.3
    scores = np.clip(0.4 + 0.3 * targets + rng.normal(0.0, 0.25, 60), 0.0, 1.0).round(1 + seed % 2)
    return {
        "targets": targets.tolist(),
        "scores": scores.tolist(),
        "roc_auc": float(sklearn.roc_auc_score(targets, scores)),
        "average_precision": float(sklearn.average_precision_score(targets, scores)),
        "f1_at_half": float(sklearn.f1_score(targets, scores >= 0.5)),
    }


def main() -> None:
    cases = [make_case(seed) for seed in (1, 2, 3, 4)]
    document = {
        "labels": LABELS,
        "slot_seconds": SLOT_SECONDS,
        "cases": [case | judge_case(case) for case in cases],
        "rankings": [judge_ranking(seed) for seed in range(4)],
    }
    target = Path(__file__).with_name("reference.json")
    target.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
