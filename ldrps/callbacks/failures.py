"""The list of what failed, at the end of a run."""

from pytorch_lightning import Callback, Trainer
from rich.console import Console

from ldrps.restorer import Restorer


class Failures(Callback):
    """Prints one line for every image that could not be restored."""

    def on_predict_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        report_failures(pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        report_failures(pl_module)


def report_failures(restorer: Restorer) -> None:
    """Print the failures of a run to standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    failed = [outcome for outcome in restorer.outcomes if outcome.error is not None]
    if failed:
        console.print(f"{len(failed)} of {len(restorer.outcomes)} images failed:", markup=False)
    for outcome in failed:
        name = outcome.sample.path or "picture"
        sentence = outcome.error if str(name) in str(outcome.error) else f"{name}: {outcome.error}"
        console.print(f"  {sentence}", markup=False)
