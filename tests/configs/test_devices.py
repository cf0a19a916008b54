"""Devices that a run may ask for."""

import pytest
from pytorch_lightning.accelerators import AcceleratorRegistry, XLAAccelerator

from ldrps.cli import main
from ldrps.configuration.devices import check_devices


@pytest.mark.parametrize("name", ["tpu", "cuda:1", "nowhere"])
def test_a_device_that_is_not_there_is_one_sentence(name, photo_file, tmp_path, capfd):
    assert main(["restore", str(photo_file), "--output", str(tmp_path / "out"), "--device", name]) == 2
    errors = capfd.readouterr().err
    assert errors == f"ldrps: device {name!r} is not available here: choose auto, cpu, cuda or mps\n"


def test_other_accelerators_that_are_there_are_left_to_lightning(monkeypatch):
    assert "tpu" in AcceleratorRegistry
    monkeypatch.setattr(XLAAccelerator, "is_available", staticmethod(lambda: True))
    check_devices("tpu", "auto")


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "gpu", "mps"])
def test_ordinary_names_pass(name):
    check_devices(name, 1)
