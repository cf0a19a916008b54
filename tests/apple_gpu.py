"""A device without double precision, for machines that have none."""

import torch
from torch.overrides import TorchFunctionMode


class OnAppleGPU(TorchFunctionMode):
    """Within, images lie on one of Apple's GPUs until they are taken to the CPU."""

    is_there = True

    def __torch_function__(self, function, types, arguments=(), options=None):
        self.is_there &= function is not torch.Tensor.cpu
        if function is torch.Tensor.double and self.is_there:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        if function == torch.Tensor.device.__get__ and self.is_there:
            return torch.device("mps")
        return function(*arguments, **(options or {}))
