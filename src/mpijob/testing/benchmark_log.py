"""What the log of the benchmark looks like that old documents run."""


def shape(*, batches: int, epochs: str, steps: str, lines: int) -> str:
    """Return a regular expression for a whole log of two ranks.

    Args:
        batches: How many were asked for.
        epochs: What is told of them, as a regular expression.
        steps: The steps that are told of, as one.
        lines: How many lines tell of a step; those of one may be in any order.

    """
    return rf"""TensorFlow:  .+
Model:       resnet101
Dataset:     imagenet \(synthetic\)
Mode:        training
SingleSess:  False
Batch size:  128 global
             64 per device
Num batches: {batches}
Num epochs:  {epochs}
Devices:     \['horovod/.pu:0', 'horovod/.pu:1'\]
NUMA bind:   False
Data format: NCHW
Optimizer:   sgd
Variables:   horovod
(?:{steps}\timages/sec: [0-9.]+ \+/- [0-9.]+ \(jitter = [0-9.]+\)\t[0-9.]+\n){{{lines}}}-{{64}}
total images/sec: [0-9.]+
-{{64}}
"""
