"""The command in this process, on a micro pipeline, with few steps."""

import pytest

from ldrps.cli import main


@pytest.fixture
def restore(micro_folder, capfd):
    """Run `ldrps restore` and return its exit code and what it wrote to standard error."""

    def run(*arguments, quick=True):
        settings = ["--backbone", str(micro_folder), "--device", "cpu", "--model.sampling.num_inference_steps", "3"]
        # Pictures that can be compared exactly, unless a test is about formats.
        settings += [] if "--format" in arguments else ["--format", "png"]
        code = main(["restore", *map(str, arguments), *(settings if quick else [])])
        return code, capfd.readouterr().err

    return run
