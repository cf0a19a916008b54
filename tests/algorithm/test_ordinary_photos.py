"""What ordinary photos are told from damaged ones by."""

import pytest
import torch

from modules.alignment.ordinary_photos import quantile


@pytest.mark.parametrize("share", [0.0, 0.002, 0.5, 1 / 3, 0.998, 1.0])
def test_quantiles_by_selection_are_those_by_sorting(pictures, share):
    values = pictures.amin(dim=1).flatten(1)
    torch.testing.assert_close(quantile(values, share), torch.quantile(values, share, dim=1))
