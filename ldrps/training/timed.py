"""How much of the time that a training may take is over."""

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Timer


def timed_spans(trainer: Trainer) -> list[tuple[float, float]]:
    """Seconds since the start, and seconds left, of every timer that ends a training (``max_time``)."""
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]
    # A timer without a duration only measures.
    spans = [(timer.time_elapsed(), timer.time_remaining()) for timer in timers]
    return [(elapsed, left) for elapsed, left in spans if left is not None]
