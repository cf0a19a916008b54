"""The list of what failed, at the end of a run."""

from pytorch_lightning import Callback, Trainer
from rich.console import Console

from ldrps.data.shards import gathered
from ldrps.methods.restorer import Restorer


class Failures(Callback):
    """Prints one line for every image that could not be restored."""

    def on_predict_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        gather_records(trainer, pl_module)
        report_failures(pl_module)
        # Nobody leaves before all is said: Lightning kills the others when one process ends.
        trainer.strategy.barrier("reported")

    def on_test_end(self, trainer: Trainer, pl_module: Restorer) -> None:
        """See Lightning."""
        report_failures(pl_module)


def gather_records(trainer: Trainer, restorer: Restorer) -> None:
    """Give the first process the records of all, since it answers for the run; the others keep none."""
    records = gathered(restorer.records)
    restorer.records = records if trainer.is_global_zero else []


def report_failures(restorer: Restorer) -> None:
    """Print the failures of a run to standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    failed = [record for record in restorer.records if record.error is not None]
    if failed:
        console.print(f"{len(failed)} of {len(restorer.records)} images failed:", markup=False)
    for record in failed:
        sentence = record.error if record.name in str(record.error) else f"{record.name}: {record.error}"
        console.print(f"  {sentence}", markup=False)
