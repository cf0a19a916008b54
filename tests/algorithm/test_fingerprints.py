"""Fingerprints of weights differ where weights do, and stay what they are in the runs on disk."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ldrps.methods.hash_weights import hash_weights
from modules.alignment.chained import Chained
from modules.alignment.identity import Identity
from modules.alignment.masked import Masked
from tests.builders import make_restorer


class Scaled(nn.Module):
    """A module with a parameter without dimensions, as DA-CLIP's `logit_scale`."""

    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))


def test_scalars_are_hashed():
    assert hash_weights(Scaled(1.0)) != hash_weights(Scaled(4.6))
    assert hash_weights(Scaled(1.0)) == hash_weights(Scaled(1.0))


def test_fingerprints_of_runs_on_disk_are_made_again():
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, 0.25)
    nn.init.constant_(module.bias, 0.5)
    # By the code before scalars were hashed.
    assert hash_weights(module) == "77c4191f280ebe4275873a8abb86c9d8a3f9960a4781106b764900c95b2eed67"


def mask_file(path, row):
    hole = np.zeros((32, 32), dtype=np.uint8)
    hole[row] = 255
    Image.fromarray(hole).save(path)
    return str(path)


@pytest.mark.parametrize("chain", [lambda net: net, lambda net: Chained(Identity(), net)], ids=["alone", "chained"])
def test_two_masks_under_one_name_have_two_fingerprints(micro_folder, tmp_path, chain):
    def fingerprint(row):
        path = None if row is None else mask_file(tmp_path / "mask.png", row)
        return make_restorer(micro_folder, alignment=chain(Masked(mask_file=path))).weights_sha256()

    assert fingerprint(3) == fingerprint(3) != fingerprint(4)
    assert fingerprint(None) == make_restorer(micro_folder).weights_sha256()
