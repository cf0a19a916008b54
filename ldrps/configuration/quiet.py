"""Keeps the libraries' remarks about themselves out of the user's sight."""

import logging
import os
import sys
import warnings


def quieten() -> None:
    """Silence loading bars, tips and device remarks; errors and this project's own output stay."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Imported here because their loggers are set up on import, which takes seconds.
    import pytorch_lightning  # noqa: F401
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # The hub's own remarks about every repeated attempt; that it cannot be reached is said once, by whoever asked.
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    # One line for each damaged tag of a photo; what matters of it is said by whoever read the photo.
    warnings.filterwarnings("ignore", module="PIL.TiffImagePlugin")
    warnings.filterwarnings("ignore", message=".*LightningCLI's args parameter.*")


class Remarks(logging.Handler):
    """Writes each remark once, to whatever standard error is at that moment: a progress bar may have taken it over."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        line = self.format(record)
        if line not in self.said:
            self.said.add(line)
            sys.stderr.write(f"{line}\n")


def tell() -> None:
    """Show this project's own remarks on standard error."""
    logger = logging.getLogger("ldrps")
    logger.handlers = [Remarks()]
    logger.setLevel(logging.INFO)
