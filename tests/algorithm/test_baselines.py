"""Simple tools where devices differ."""

import torch
from torch.overrides import TorchFunctionMode

from ldrps.methods.baselines.base import through_numpy


class WithoutDoubles(TorchFunctionMode):
    """As one of Apple's GPUs, on which the image lies until it is taken to the CPU."""

    is_there = True

    def __torch_function__(self, function, types, arguments=(), options=None):
        self.is_there &= function is not torch.Tensor.cpu
        if function is torch.Tensor.double and self.is_there:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return function(*arguments, **(options or {}))


def test_tools_in_double_precision_work_where_the_device_knows_none(pictures):
    with WithoutDoubles():
        inverted = through_numpy(lambda array: 1 - array, pictures[0])
    assert torch.allclose(inverted, 1 - pictures[0])
