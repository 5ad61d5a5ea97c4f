"""What a network should lower: cross-entropy where somebody knows the answer, and a penalty."""

from __future__ import annotations

import keras
import tensorflow as tf

from trainer.model.settings import Activation


def cross_entropy(
    logits: tf.Tensor,
    targets: tf.Tensor,
    known: tf.Tensor,
    weights: tf.Tensor,
    activation: Activation,
) -> tf.Tensor:
    """The mean over a batch, a scalar: logits, targets, known (B, K), weights (B,).

    Sigmoid: over the labels that are known. Softmax: over the patches of which anything is known. A
    batch without any gives 0.
    """
    if activation == "sigmoid":
        losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
        shares = known * weights[:, tf.newaxis]
    else:
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        shares = tf.reduce_max(known, axis=1) * weights
    return tf.math.divide_no_nan(tf.reduce_sum(losses * shares), tf.reduce_sum(shares))


def smooth(targets: tf.Tensor, smoothing: float, activation: Activation) -> tf.Tensor:
    """Targets that are less sure: a share of each goes to all classes alike, or to a half."""
    even = 0.5 if activation == "sigmoid" else 1.0 / tf.cast(tf.shape(targets)[1], tf.float32)
    return (1.0 - smoothing) * targets + smoothing * even


def kernel_penalty(head: keras.Model, weight_decay: float) -> tf.Tensor:
    """Half the squared weights of the head's dense layers times `weight_decay`; biases are free."""
    kernels = [layer.kernel for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    return weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
