"""What pairs and clean folders share."""

from functools import partial

import pytest

from ldrps.data.clean import CleanData
from ldrps.data.pairs import PairedData


@pytest.mark.parametrize("data", [partial(PairedData, "folder"), partial(CleanData, ["folder"], ["haze"])])
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"crop_px": 0}, "crop_px=0 must be at least 1; null takes images whole"),
        ({"shard": "2/2"}, "shard='2/2' must be i/n with i from 0 to n - 1"),
    ],
)
def test_a_crop_of_nothing_and_a_shard_of_none_are_refused(data, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        data(**settings)


def test_a_crop_is_cut_from_image_and_target_alike(pairs_folder):
    data = PairedData(str(pairs_folder), crop_px=20)
    data.setup("test")
    samples = [sample for batch in data.test_dataloader() for sample in batch]
    assert [sample.name for sample in samples] == ["0", "1"]
    for sample in samples:
        assert sample.image.shape == sample.target.shape == (3, 20, 20)
        # The fixture's inputs are its targets at half the brightness.
        assert float((sample.image - sample.target / 2).abs().max()) < 1 / 255
