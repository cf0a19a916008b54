"""Images of one size are restored together, and no batch costs more than its images."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ldrps.data.buckets import MOST_PIXELS, SizeBuckets
from ldrps.data.images import ImageData
from ldrps.data.samples import Sample
from ldrps.methods.pace import CPU_PIXELS
from tests.builders import Stubborn

SIZES = st.lists(st.sampled_from([(8, 8), (9, 7), (2000, 1500), (5000, 4000), None]), max_size=40)


@given(sizes=SIZES, batch_size=st.sampled_from([1, 3, "auto"]))
def test_every_image_is_in_one_batch_of_its_size(sizes, batch_size):
    batches = list(SizeBuckets(sizes, batch_size))
    assert sorted(index for batch in batches for index in batch) == list(range(len(sizes)))
    for batch in batches:
        assert len({sizes[index] for index in batch}) == 1
        assert batch == sorted(batch)
        pixels = sum(width * height for width, height in (sizes[index] or (1, 1) for index in batch))
        assert len(batch) == 1 or (pixels <= MOST_PIXELS if batch_size == "auto" else len(batch) <= batch_size)
    assert [batch[0] for batch in batches] == sorted(batch[0] for batch in batches)


def test_a_folder_of_two_sizes_comes_in_batches_of_each(tmp_path):
    for index in range(6):
        Image.new("RGB", (20, 10) if index % 2 else (12, 12)).save(tmp_path / f"{index}.png")
    (tmp_path / "bad.png").write_text("hello")
    data = ImageData([str(tmp_path)], batch_size="auto")
    data.setup("predict")
    batches = [[getattr(entry, "name", "bad") or "bad" for entry in batch] for batch in data.predict_dataloader()]
    assert batches == [["0", "2", "4"], ["1", "3", "5"], ["bad"]]


def test_on_a_cpu_large_images_of_a_batch_are_restored_one_by_one():
    class Counting(Stubborn):
        def restore(self, degraded, paths, observe=lambda step: None):
            together.append(len(degraded))
            return degraded

    together = []
    side = int(CPU_PIXELS**0.5)
    for height, width, expected in ((side, side + 1, [1, 1, 1]), (side, side // 2, [2, 1]), (8, 16, [3])):
        together.clear()
        outcomes = Counting().restore_batch([Sample(str(i), None, torch.rand(3, height, width)) for i in range(3)])
        assert together == expected
        assert [outcome.sample.name for outcome in outcomes] == ["0", "1", "2"]


@pytest.mark.parametrize("batch_size", [0, -2])
def test_a_batch_of_nothing_is_one_sentence(batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size} must be at least 1, or auto"):
        ImageData(["x"], batch_size=batch_size)
