"""What a sweep saves by keeping prior, model and data between points: processor seconds before the first image.

python -m tests.benchmarks.kept_parts --data FOLDER [--points 5] [--backbone FOLDER]
"""

import argparse
import statistics
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from ldrps.commands.sweeping import point_maker
from ldrps.configuration import lightning_cli
from ldrps.configuration.kept_parts import KeptParts
from ldrps.configuration.quiet import quieten


class Timed(KeptParts):
    """Says when the run was ready by the processor's time, which other programs disturb less."""

    def on_test_start(self, trainer, pl_module):
        self.ready_at = time.process_time()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of clean photos")
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--backbone", default="package:ldrps/pretrained/mini")
    options = parser.parse_args()
    quieten()
    make_run, kept = point_maker("auto"), Timed()
    settings = {"clean": [options.data], "suite": ["noise_25"], "limit": 1, "model.backbone.path": options.backbone}
    settings["model.prior"] = "modules.priors.da_clip.DACLIP"
    seconds = {"kept": [], "loaded anew": []}
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        for number in range(options.points + 1):
            for name, parts in (("kept", kept), ("loaded anew", Timed())):
                run, changes = make_run(
                    {**settings, "model.guidance.strength": number / 100}, Path(folder) / f"{name}{number}"
                )
                started = time.process_time()
                lightning_cli.run("test", run(), changes, parts)
                if number:  # The first one loads everything either way.
                    seconds[name].append(parts.ready_at - started)
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values):.2f} s (median of {len(values)})")  # noqa: T201


if __name__ == "__main__":
    main()
