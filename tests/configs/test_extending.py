"""The examples of docs/extending.md run as they stand there."""

import csv
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import degradations
import modules
from degradations.base import Degradation
from degradations.suites import load_suites
from ldrps.cli import main
from ldrps.configuration.presets import load_preset
from ldrps.methods.auto.choice import Choice
from ldrps.methods.ld_rps.guidance import Guidance
from ldrps.methods.restorer import Restorer
from ldrps.metrics.base import Metric
from modules.alignment.base import Alignment
from modules.losses.base import Loss
from modules.priors.base import Prior
from tests.builders import generators

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- my_package/(\w+)\.py -->\n```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The examples as a package of the user's own."""
    folder = tmp_path / "my_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, code in EXAMPLES:
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        del sys.modules[name]


def the_class(name):
    module = importlib.import_module(f"my_package.{name}")
    [cls] = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    return cls


def test_there_is_one_of_each_kind_and_none_is_long(package):
    bases = [Prior, Loss, Alignment, Degradation, Restorer, Metric]
    assert [next(base for base in bases if issubclass(the_class(name), base)) for name, _ in EXAMPLES] == bases
    assert all(len(code.strip().splitlines()) < 40 for _, code in EXAMPLES)


def test_the_prior_reaches_the_denoiser(package, micro_folder, photo_file, tmp_path):
    prior = the_class("file_name")()
    assert prior(torch.rand(2, 3, 8, 8), [Path("cat-on_a.jpg"), None]).prompts == ["a photo of cat on a", ""]
    arguments = ["restore", str(photo_file), "-o", str(tmp_path / "out"), "--backbone", str(micro_folder)]
    settings = ["--prior", "my_package.file_name.FileName", "--model.prior.opening", "an old photo of"]
    assert main([*arguments, *settings, "--device", "cpu", "--model.sampling.num_inference_steps", "3"]) == 0
    assert "an old photo of" in (tmp_path / "out" / "ldrps.config.yaml").read_text()


def test_the_installed_command_finds_a_class_in_the_folder_it_is_run_in(package, photo_file, tmp_path):
    command = [Path(sys.executable).with_name("ldrps"), "degrade", photo_file, "--suite", "mine.yaml", "-o", "out"]
    (tmp_path / "mine.yaml").write_text("degradation: {class_path: my_package.scratches.Scratches}")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "cat.png").is_file()


def test_a_degradation_that_cannot_be_found_has_its_reason(package, tmp_path):
    for class_path, sentence in (
        ("no_package.scratches.Scratches", "does not exist: No module named 'no_package'"),
        (
            "my_package.scratches.Scratchs",
            "my_package.scratches has no 'Scratchs': did you mean 'my_package.scratches.Scratches'?",
        ),
    ):
        (tmp_path / "mine.yaml").write_text(f"degradation: {{class_path: {class_path}}}")
        with pytest.raises(ValueError, match=re.escape(sentence)):
            load_suites(str(tmp_path / "mine.yaml"), tmp_path)


@pytest.mark.parametrize("more", [[], ["--sheet"]])
def test_a_degradation_that_fails_costs_its_picture_and_is_raised_on_request(
    package, photo_file, tmp_path, capfd, monkeypatch, more
):
    code = dict(EXAMPLES)["scratches"].replace('parameters["places"]', 'parameters["place"]')
    (package / "scratches.py").write_text(code, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("degradation: {class_path: my_package.scratches.Scratches}")
    arguments = ["degrade", str(photo_file), "--suite", str(tmp_path / "mine.yaml"), "-o", str(tmp_path / "out"), *more]
    main(arguments)
    assert "cat.jpg could not be degraded by mine: KeyError: 'place'\n" in capfd.readouterr().err
    monkeypatch.setenv("LDRPS_DEBUG", "1")
    with pytest.raises(KeyError, match="place"):
        main([*arguments, "--overwrite"])


def test_the_loss_and_the_alignment_net_guide(package, micro_folder, pictures):
    restorer = load_preset(
        "blind",
        backbone__path=str(micro_folder),
        sampling__num_inference_steps=10,
        alignment="my_package.gain.Gain",
        losses='{"darkness": {"loss": "my_package.darkness.Darkness", "weight": 10.0}}',
        output="modules.outputs.decoded.Decoded",
    )
    restorer.load()
    dark = restorer.restore(pictures[:2], [None, None])
    unguided = load_preset(
        "blind",
        backbone__path=str(micro_folder),
        sampling__num_inference_steps=10,
        alignment="my_package.gain.Gain",
        losses="{}",
        output="modules.outputs.decoded.Decoded",
    )
    unguided.load()
    assert bool(dark.isfinite().all())
    assert float(dark.mean()) < float(unguided.restore(pictures[:2], [None, None]).mean())
    alignment = the_class("gain")()
    alignment.begin(pictures[:2] * 0.2, generators(0, 1))
    torch.testing.assert_close(alignment(alignment.invert(pictures[:2] * 0.2)), pictures[:2] * 0.2, atol=0.05, rtol=0)


def test_the_degradation_makes_a_suite_on_which_the_measure_scores_the_method(package, photo_file, tmp_path):
    (tmp_path / "scratches.yaml").write_text("degradation: {class_path: my_package.scratches.Scratches}")
    (tmp_path / "sharpen.yaml").write_text("model: {class_path: my_package.sharpen.Sharpen}")
    (tmp_path / "mine.yaml").write_text("results: {metrics: [my_package.sharpness.Sharpness]}")
    data = ["--clean", str(photo_file), "--suite", str(tmp_path / "scratches.yaml"), "--no-baselines"]
    method = ["--config", str(tmp_path / "sharpen.yaml"), "--protocol", str(tmp_path / "mine.yaml")]
    run = tmp_path / "run"
    assert main(["test", *data, *method, "--output", str(run), "--device", "cpu"]) == 0
    means = {line["restorer"]: float(line["mean"]) for line in csv.DictReader((run / "tables.csv").open())}
    assert means["sharpen"] > means["input"] > 0
    arguments = ["--suite", str(tmp_path / "scratches.yaml"), "--output", str(tmp_path / "old")]
    assert main(["degrade", str(photo_file), *arguments]) == 0
    assert main(["degrade", str(photo_file), "--replay", str(tmp_path / "old"), "-o", str(tmp_path / "again")]) == 0
    assert (tmp_path / "old" / "cat.png").read_bytes() == (tmp_path / "again" / "cat.png").read_bytes()


def test_the_page_names_every_family(package):
    for base in (Prior, Loss, Alignment, Guidance, Choice, Degradation, Restorer, Metric):
        assert f"`{base.__module__}.{base.__name__}`" in PAGE
    assert modules.__name__ in PAGE
    assert degradations.__name__ in PAGE
