"""What a run will take on this machine, before it starts: time and memory, told from what earlier restorations took."""

from collections.abc import Sequence
from dataclasses import dataclass

from ldrps.methods.ld_rps.ld_rps import LDRPS
from ldrps.methods.peak_memory import free_bytes
from ldrps.methods.restorer import Restorer
from ldrps.methods.speeds import FEW_STEPS, MOST_STEPS, PROBE_SIDES_PX, Speeds, measure
from modules.windows import WindowSettings

TOO_LITTLE = "too little to measure the time first"


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        num_images: Pictures to restore.
        pixels: Pixels of all of them.
        seconds: Time to restore them; None if nothing is known of this machine.
        peak_bytes: Largest memory of the process; None as above.
        free_bytes: Memory there is for it.
        device: Where it runs.
        window_px: Side of the windows in which pictures that are larger are restored; None if they are not cut.
        batch_size: Images restored together.
        without: Names of priors whose time is not counted, or not always.
        trouble: Why nothing could be measured; empty if nobody tried, or it could.
    """

    num_images: int
    pixels: int
    seconds: float | None
    peak_bytes: int | None
    free_bytes: int
    device: str
    window_px: int | None
    batch_size: int
    without: str = ""
    trouble: str = ""

    def sentence(self) -> str:
        """The forecast in one line.

        Example:
            >>> Forecast(3, 36_000_000, 5400.0, 3 * 2**30, 16 * 2**30, "cpu", 512, 1).sentence()
            '3 pictures of 36.0 megapixels: about 1.5 h on cpu, 3.0 of 16.0 GiB of memory, windows of 512 px, batch 1'
        """
        subject = (
            f"{self.num_images} picture{'' if self.num_images == 1 else 's'} of {self.pixels / 1e6:.1f} megapixels"
        )
        if self.seconds is None or self.peak_bytes is None:
            why = f"the time could not be measured ({self.trouble})" if self.trouble else TOO_LITTLE
            return f"{subject} on {self.device}: {why}"
        memory = f"{self.peak_bytes / 2**30:.1f} of {self.free_bytes / 2**30:.1f} GiB of memory"
        if self.peak_bytes > self.free_bytes:
            memory += ", which is MORE than there is: make pictures, windows or batches smaller"
        windows = "" if self.window_px is None else f", windows of {self.window_px} px"
        time_ = f"about {duration(self.seconds)} on {self.device}"
        if self.without:
            time_ += f" (measured without the prior {self.without})"
        return f"{subject}: {time_}, {memory}{windows}, batch {self.batch_size}"


def plan(
    restorer: Restorer,
    sizes: Sequence[tuple[int, int]],
    speeds: Speeds,
    batch_size: int = 1,
    always_measure: bool = False,
) -> Forecast:
    """Say what restoring pictures will take; a machine that nothing is known of is measured first.

    Measuring restores two small pictures, which takes seconds with the embedded model, or one where the pictures
    themselves are small; it is left out where restoring them hardly takes longer than that.

    Args:
        restorer: The method, loaded and on its device.
        sizes: Width and height of each picture.
        speeds: What is known of this machine.
        batch_size: Images restored together.
        always_measure: Whether to measure even then, for somebody who wants nothing but the forecast.

    Example:
        >>> from ldrps.methods.baselines.gain import Gain
        >>> plan(Gain(), [(40, 30)], Speeds()).sentence()
        '1 picture of 0.0 megapixels on cpu: too little to measure the time first'
    """
    pixels = [working_pixels(restorer, *size) for size in sizes]
    trouble = ""
    if pixels and not speeds.reach(max(pixels)):
        # Photos are not measured at a size that is larger than their own.
        probes = [side for side in PROBE_SIDES_PX if side**2 <= max(pixels)] or [PROBE_SIDES_PX[0]]
        if always_measure or sum(pixels) * steps_left_out(restorer) > 2 * sum(side**2 for side in probes):
            try:
                measure(restorer, speeds, probes)
            except Exception as error:
                # What is measured is not what the user wants restored: whether that works is told when its turn comes.
                kind = "" if isinstance(error, ValueError | OSError | RuntimeError) else f"{type(error).__name__}: "
                trouble = kind + " ".join(str(error).split())
    side = window_px(restorer)
    seconds = peak = None
    if speeds.known and pixels:
        seconds = sum(speeds.seconds(count) for count in pixels)
        window = None if side is None else side**2 * batch_size
        peak = round(speeds.peak_bytes(max(pixels) * batch_size, window))
    total = sum(width * height for width, height in sizes)
    device = restorer.device
    without = ", ".join(sorted({one.without for one in speeds.known} - {""}))
    return Forecast(
        len(sizes), total, seconds, peak, free_bytes(device), str(device), side, batch_size, without, trouble
    )


def steps_left_out(restorer: Restorer) -> float:
    """How many times the steps of measuring a picture a restoration of it has."""
    if not isinstance(restorer, LDRPS) or restorer.sampling.num_steps <= MOST_STEPS:
        return 1.0
    return restorer.sampling.num_steps / sum(FEW_STEPS)


def working_pixels(restorer: Restorer, width: int, height: int) -> int:
    """Pixels at which a picture is restored: its own, or fewer where the method works on smaller ones."""
    longest = getattr(restorer, "max_side_px", None)
    scale = 1.0 if longest is None else min(1.0, longest / max(width, height))
    return max(1, round(width * height * scale**2))


def window_px(restorer: Restorer) -> int | None:
    """Side of the windows that a method cuts large pictures into, the largest of its parts'; None if none does."""
    windows = (getattr(part, "windows", None) for part in restorer.modules())
    sides = [found.side_px for found in windows if isinstance(found, WindowSettings)]
    return max((side for side in sides if side is not None), default=None)


def duration(seconds: float) -> str:
    """A time in words, two digits of it.

    Example:
        >>> [duration(seconds) for seconds in (0.4, 7.26, 77, 600, 5400, 200_000)]
        ['1 s', '7 s', '77 s', '10 min', '1.5 h', '2.3 days']
    """
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            count = seconds / length
            return f"{count:.0f} {unit}" if count >= 9.5 else f"{count:.1f} {unit}"
    return f"{max(1, round(seconds))} s"
