"""Simple tools where devices differ."""

import torch

from ldrps.methods.baselines.base import through_numpy
from tests.apple_gpu import OnAppleGPU


def test_tools_in_double_precision_work_where_the_device_knows_none(pictures):
    with OnAppleGPU():
        inverted = through_numpy(lambda array: 1 - array, pictures[0])
    assert torch.allclose(inverted, 1 - pictures[0])
