"""`trainer.test` from Python, with nothing of ours but model and data."""

import csv
import re
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import CSVLogger
from skimage import data as skimage_data
from skimage.metrics import peak_signal_noise_ratio

from ldrps.callbacks.results import Results
from ldrps.data.images import ImageData
from ldrps.data.pairs import PairedData
from ldrps.methods import pace, restorer
from ldrps.methods.baselines.gain import Gain
from ldrps.methods.baselines.gamma import Gamma
from ldrps.methods.comparison import Comparison
from ldrps.methods.restorer import Restorer
from ldrps.methods.step import Step
from ldrps.metrics.fidelity import PSNR
from ldrps.metrics.vif import VIF
from ldrps.results.run_folder import INPUT, RunFolder

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def test_it_returns_and_logs_the_means_of_every_method(pairs_folder, tmp_path):
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(inference_mode=False, logger=CSVLogger(tmp_path, "log", "one"), **quiet)
    model = Comparison({"gain": Gain(), "gamma": Gamma()})
    [measures] = trainer.test(model, datamodule=PairedData(str(pairs_folder)), verbose=False)
    pairs = [[np.asarray(Image.open(pairs_folder / kind / f"{n}.png")) for kind in ("target", "input")] for n in (0, 1)]
    expected = np.mean([peak_signal_noise_ratio(*pair) for pair in pairs])
    assert measures["pairs/input/psnr"] == measures["overall/input/psnr"] == pytest.approx(expected, abs=1e-3)
    for method in ("gain", "gamma"):
        assert measures[f"pairs/{method}/psnr"] > expected
        assert measures[f"seconds/{method}"] > 0
    assert {name: float(value) for name, value in trainer.callback_metrics.items()} == pytest.approx(measures)
    [logged] = csv.DictReader((tmp_path / "log" / "one" / "metrics.csv").open())
    assert float(logged["pairs/gain/psnr"]) == pytest.approx(measures["pairs/gain/psnr"])
    # A second test of the same model starts from nothing.
    [again] = trainer.test(model, datamodule=PairedData(str(pairs_folder)), verbose=False)
    assert again["pairs/gain/psnr"] == measures["pairs/gain/psnr"]


class OneByOne(Restorer):
    """Ends in a convolution, which autocast makes bfloat16 of."""

    def __init__(self):
        super().__init__()
        self.mixed = torch.nn.Conv2d(3, 3, 1, bias=False)
        torch.nn.init.dirac_(self.mixed.weight)

    def load(self):
        pass

    def restore(self, degraded, paths, observe=lambda step: None):
        return self.mixed(degraded)


def test_scores_do_not_depend_on_the_precision(pairs_folder, tmp_path):
    # VIF has no number for smaller pictures.
    for file in pairs_folder.rglob("*.png"):
        Image.open(file).resize((64, 48)).save(file)

    def tested(precision):
        output = tmp_path / precision
        results = Results(str(output), [PSNR(), VIF()], pictures=False, trajectory=0)
        quiet = {"logger": False, "enable_progress_bar": False, "callbacks": [results]}
        trainer = Trainer(inference_mode=False, accelerator="cpu", precision=precision, **quiet)
        trainer.test(Comparison({"same": OneByOne()}), datamodule=PairedData(str(pairs_folder)), verbose=False)
        rows = RunFolder(output).rows()
        return [{(row.name, row.restorer): row.metrics for row in rows if row.restorer == of} for of in (INPUT, "same")]

    (inputs, made), (mixed_inputs, mixed_made) = tested("32-true"), tested("bf16-mixed")
    assert mixed_inputs == inputs
    for which, metrics in made.items():
        assert mixed_made[which] == pytest.approx(metrics, rel=0.01)


def test_results_are_as_precise_as_their_photos_whatever_a_method_ends_in(photo_file):
    quiet = {"logger": False, "enable_progress_bar": False}
    trainer = Trainer(inference_mode=False, accelerator="cpu", precision="bf16-mixed", **quiet)
    [[outcome]] = trainer.predict(OneByOne(), datamodule=ImageData([str(photo_file)]))
    assert outcome.restored.dtype == outcome.sample.image.dtype == torch.float32


def test_a_target_that_was_replaced_leaves_nothing_behind(pairs_folder, tmp_path):
    def tested(output):
        results = Results(str(output), [PSNR()], resume=True, pictures=False, trajectory=0)
        trainer = Trainer(
            inference_mode=False, accelerator="cpu", logger=False, callbacks=[results], enable_progress_bar=False
        )
        [measures] = trainer.test(Comparison({"gain": Gain()}), datamodule=PairedData(str(pairs_folder)), verbose=False)
        rows = [(row.name, row.restorer, row.metrics) for row in RunFolder(output).rows()]
        return rows, {name: value for name, value in measures.items() if not name.startswith("seconds")}

    faulty, _ = tested(tmp_path / "run")
    target = pairs_folder / "target" / "1.png"
    Image.fromarray(255 - np.asarray(Image.open(target))).save(target)
    again = tested(tmp_path / "run")
    assert again == tested(tmp_path / "fresh")
    assert len(again[0]) == len(faulty) == 4
    assert again[0] != faulty


def quiet_trainer(*callbacks):
    return Trainer(
        inference_mode=False, accelerator="cpu", logger=False, callbacks=[*callbacks], enable_progress_bar=False
    )


def test_a_second_test_with_the_same_objects_counts_nothing_twice(pairs_folder, tmp_path, capsys):
    data, results = PairedData(str(pairs_folder)), Results(None, [PSNR()], trajectory=0)
    model = Comparison({"gain": Gain(), "gamma": Gamma()})
    trainer = quiet_trainer(results)
    for _ in range(2):
        trainer.test(model, datamodule=data, verbose=False)
        assert "2 images, 0 of them with a failure" in capsys.readouterr().out
        assert len(results.rows) == 6
        assert len(model.records) == 4
    # What one run has written is finished for that one.
    quiet_trainer(Results(str(tmp_path / "run"), [PSNR()], pictures=False)).test(model, datamodule=data, verbose=False)
    trainer.test(model, datamodule=data, verbose=False)
    assert len(results.rows) == 6


def test_the_memory_of_a_row_is_that_of_its_method(pairs_folder, monkeypatch):
    peaks = iter([1.0, 2.0, 10.0, 20.0])
    monkeypatch.setattr(restorer, "peak_mib", lambda device: next(peaks))
    # Two pieces of a batch, on whose images one method comes after the other.
    monkeypatch.setattr(pace, "CPU_PIXELS", 1)
    results = Results(None, [PSNR()], trajectory=0)
    model = Comparison({"gain": Gain(), "gamma": Gamma()})
    quiet_trainer(results).test(model, datamodule=PairedData(str(pairs_folder), batch_size=2), verbose=False)
    assert [(row.restorer, row.peak_mib) for row in results.rows if row.restorer != INPUT] == [
        ("gain", 1.0),
        ("gain", 2.0),
        ("gamma", 10.0),
        ("gamma", 20.0),
    ]
    assert [row.peak_mib for row in results.rows if row.restorer == INPUT] == [0.0, 0.0]


def test_steps_are_seen_once_however_many_runs_there_were(pairs_folder):
    class Stepping(Gain):
        is_baseline = False

        def restore(self, degraded, paths, observe=lambda step: None):
            observe(Step(0, 1, 0.0, lambda: degraded))
            return super().restore(degraded, paths, observe)

    seen = []

    class Watch(Callback):
        def on_test_start(self, trainer, pl_module):
            pl_module.step_listeners.append(lambda samples, step: seen.append(samples[0].name))

    model, data = Comparison({"one": Stepping(), "other": Stepping()}), PairedData(str(pairs_folder))
    for _ in range(2):
        seen.clear()
        quiet_trainer(Watch()).test(model, datamodule=data, verbose=False)
        assert sorted(seen) == ["0", "0", "1", "1"]
    seen.clear()
    quiet_trainer().test(model.members()[0], datamodule=data, verbose=False)
    assert seen == []


def test_a_run_that_an_exception_ends_leaves_no_file_open(pairs_folder, tmp_path):
    class Stop(Callback):
        def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
            if batch_idx == 1:
                raise RuntimeError("stopped here")

    results = Results(str(tmp_path / "run"), [PSNR()], pictures=False, trajectory=0)
    with pytest.raises(RuntimeError, match="stopped here"):
        quiet_trainer(results, Stop()).test(Gain(), datamodule=PairedData(str(pairs_folder)), verbose=False)
    [file] = (tmp_path / "run" / "rows").iterdir()
    assert str(file.resolve()) not in [opened.path for opened in psutil.Process().open_files()]


def test_the_lines_of_the_page_run_as_they_stand(tmp_path, monkeypatch, capsys):
    (tmp_path / "photos").mkdir()
    Image.fromarray(skimage_data.cat()).resize((48, 32)).save(tmp_path / "photos" / "cat.png")
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"## From Python\n.*?```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 5
    names = {}
    exec(compile(code, "docs/testing.md", "exec"), names)
    [measures] = names["results"]
    assert measures["overall/ldrps/psnr"] > measures["overall/input/psnr"] > 0
    assert "noise_25/ldrps/ssim" in measures
    assert capsys.readouterr().out.strip().endswith(str(measures["overall/ldrps/psnr"]))
