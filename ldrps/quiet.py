"""Keeps the libraries' remarks about themselves out of the user's sight."""

import logging
import os
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
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message=".*LightningCLI's args parameter.*")


def tell() -> None:
    """Show this project's own remarks on standard error, each once."""
    logger = logging.getLogger("ldrps")
    if logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    told: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if message in told:
            return False
        told.add(message)
        return True

    handler.addFilter(is_new)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
