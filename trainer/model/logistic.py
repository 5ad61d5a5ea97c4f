"""Logistic regression on patches as a linear head: the floor that a trained network must beat."""

from __future__ import annotations

import warnings

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from trainer.data.batches import Batch
from trainer.model.network import Moments, build_head, compress, measure_moments
from trainer.model.settings import Activation, HeadShape

MOST_STEPS = 60  # of the solver; by then folds of four data sets differed no more
_TOLERANCE = 1e-3
_CHUNK = 1024  # rows
# Where training rows say nothing, or all the same, of an output: a probability of about 1 or 99 %
_UNHEARD, _CERTAIN = -10.0, 4.6

Floats = NDArray[np.float32]


class LogisticFitter:
    """Fits heads to the same patches with one strength after another.

    Softmax: multinomial, each patch of the class that its targets name. Sigmoid: one regression for each
    label, on the patches whose target is known. `moments` standardise the inputs; default: the rows' own.
    """

    def __init__(self, rows: Batch, activation: Activation, moments: Moments | None = None) -> None:
        chunks = range(0, len(rows.inputs), _CHUNK)
        self.moments = moments or measure_moments(
            rows.inputs[start : start + _CHUNK] for start in chunks
        )
        inputs = np.empty(rows.inputs.shape, np.float32)
        for start in chunks:  # so that no second array of all rows is needed
            part = slice(start, start + _CHUNK)
            compressed = np.asarray(compress(rows.inputs[part]), np.float32)
            inputs[part] = (compressed - self.moments.mean) / self.moments.deviation
        self._rows, self._activation = rows._replace(inputs=inputs), activation

    def fit(self, strength: float) -> keras.Model:
        """A head as `build_head` makes it; less `strength` is more regularisation.

        It is scikit-learn's C for weights of the rows as they are given.
        """
        outputs = self._rows.targets.shape[1]
        # numpy's BLAS threads wait for each other on small products: with two of them a fit took sixty
        # times as long on a busy machine
        with threadpool_limits(limits=1, user_api="blas"):
            if self._activation == "softmax":
                labelled = np.asarray(self._rows.targets.any(axis=1))
                kernel, bias = self._fit(
                    self._rows.targets.argmax(axis=1), labelled, outputs, strength
                )
            else:
                fits = [
                    self._fit(
                        (self._rows.targets[:, label] > 0.5).astype(np.intp),  # noqa: PLR2004
                        np.asarray(self._rows.known[:, label] > 0),
                        1,
                        strength,
                    )
                    for label in range(outputs)
                ]
                kernel = np.concatenate([each[0] for each in fits], axis=1)
                bias = np.concatenate([each[1] for each in fits])
        head = build_head(self.moments, outputs, HeadShape())
        head.get_layer("logits").set_weights([kernel, bias])
        return head

    def _fit(
        self, classes: NDArray[np.intp], used: NDArray[np.bool_], outputs: int, strength: float
    ) -> tuple[Floats, Floats]:
        """Kernel (D, outputs) and bias (outputs,); with one output, class 1 against class 0."""
        rows = self._rows
        kernel = np.zeros((rows.inputs.shape[1], outputs), np.float32)
        bias = np.full(outputs, _UNHEARD, np.float32)
        there = np.unique(classes[used])
        if len(there) < 2:  # noqa: PLR2004 - nothing to tell apart
            if outputs == 1:
                bias[:] = _CERTAIN if there.any() else -_CERTAIN
            bias[there if outputs > 1 else []] = _CERTAIN
            return kernel, bias
        inputs = rows.inputs if used.all() else rows.inputs[used]
        model = LogisticRegression(C=strength, max_iter=MOST_STEPS, tol=_TOLERANCE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # by then it is near enough
            model.fit(inputs, classes[used], sample_weight=rows.weights[used])
        if outputs == 1:
            return model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
        coefficients, intercepts = model.coef_.T, model.intercept_
        if len(there) == 2:  # noqa: PLR2004 - scikit-learn gives the second against the first alone
            coefficients = np.column_stack((-coefficients / 2, coefficients / 2))
            intercepts = np.concatenate((-intercepts / 2, intercepts / 2))
        kernel[:, there], bias[there] = coefficients, intercepts
        return kernel, bias
