"""What every restorer keeps, however it is called."""

import pytest
import torch
from PIL import Image
from pytorch_lightning import Trainer

from ldrps.configuration.presets import load_preset
from ldrps.data.samples import Sample
from ldrps.methods.baselines.gain import Gain
from ldrps.methods.restorer import Restorer
from modules.alignment.tone_curve import ToneCurve


def test_a_call_in_inference_mode_is_a_call(micro_folder, pictures):
    def make():
        restorer = load_preset("blind", backbone__path=str(micro_folder), sampling__num_inference_steps=2)
        # Learnt for every picture, small ones too.
        restorer.alignment = restorer.guidance.alignment = ToneCurve()
        return restorer

    restorer = make()
    with torch.inference_mode():
        # Weights are read in this call, and the picture is itself a tensor of inference mode.
        inside = restorer(pictures[0].clone())
        assert torch.is_inference_mode_enabled()
    outside = restorer(pictures[0])
    assert isinstance(inside, Image.Image)
    assert inside.tobytes() == outside.tobytes() == make()(pictures[0]).tobytes()


@pytest.mark.parametrize(("precision", "change"), [("64-true", "widen"), ("bf16-true", "narrow")])
def test_a_precision_for_everything_is_one_sentence(precision, change):
    restorer = Gain()
    restorer.trainer = Trainer(precision=precision, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(
        ValueError, match=f"trainer.precision={precision} would {change} what is learnt .*: use 32-true"
    ):
        restorer.setup("predict")


class Grey(Restorer):
    """Gives back another shape than it was given."""

    def load(self):
        pass

    def restore(self, degraded, paths, observe=lambda step: None):
        return degraded.mean(dim=1, keepdim=True)


def test_a_result_of_another_shape_is_an_error_of_that_image_and_says_so(pictures):
    outcomes = Grey().restore_batch([Sample(str(index), None, pictures[index]) for index in range(2)])
    side = pictures.shape[-1]
    sentence = f"Grey.restore gave shape (1, 1, {side}, {side}) for images of shape (1, 3, {side}, {side}): it must"
    assert [outcome.error.startswith(sentence) for outcome in outcomes] == [True, True]
