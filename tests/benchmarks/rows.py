"""Benchmarks that compare settings: one `ldrps test` run with a row for each, resumable with the same options."""

import argparse
from pathlib import Path

import yaml

from ldrps.cli import main as ldrps
from ldrps.configuration.presets import preset_model
from ldrps.configuration.quiet import quieten

DAMAGES = [
    "noise_15",
    "noise_25",
    "noise_50",
    "low_light",
    "haze",
    "haze_even",
    "grey",
    "low_light_noise",
    "motion_blur",
    "jpeg_10",
    "wild_medium",
]


def parse_options(description, output, **more):
    """Read the command line; `more` are further options with their help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of clean photos")
    parser.add_argument("--output", default=output, type=Path)
    parser.add_argument("--suite", nargs="+", default=DAMAGES)
    parser.add_argument("--limit", default=4, type=int)
    parser.add_argument("--only", nargs="+", help="names of rows")
    for name, explanation in more.items():
        parser.add_argument(f"--{name}", help=explanation)
    return parser.parse_args()


def run_rows(rows, options):
    """Run rows, each a preset and changes to it, by name, and return the exit code of `ldrps test`."""
    quieten()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = {name: rows[name] for name in options.only or rows}
    restorers = {name: preset_model(preset, arguments) for name, (preset, arguments) in rows.items()}
    config = options.output / "rows.yaml"
    model = {"class_path": "ldrps.methods.comparison.Comparison", "init_args": {"restorers": restorers}}
    config.write_text(yaml.safe_dump({"model": model}, sort_keys=False))
    run = options.output / "run"
    arguments = ["--clean", options.data, "--suite", *options.suite, "--limit", str(options.limit), "--no-baselines"]
    arguments += ["--config", str(config), "--protocol", "crops_256", "--output", str(run)]
    return ldrps(["test", *arguments, *(["--resume"] if run.exists() else [])])
