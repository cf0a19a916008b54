"""`trainer.predict` from Python, with nothing of ours but model and data."""

from pytorch_lightning import Trainer

from ldrps.data.images import ImageData
from ldrps.methods.baselines.gain import Gain


def test_it_returns_what_became_of_each_photo(photo_file):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(inference_mode=False, accelerator="cpu", **quiet)
    [[outcome]] = trainer.predict(Gain(), datamodule=ImageData([str(photo_file)]))
    assert outcome.error is None
    assert outcome.sample.path == photo_file
    assert outcome.restored.shape == (3, 28, 40)
