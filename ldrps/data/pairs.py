"""Pairs of degraded images and ground truth, in two folders with equal file names."""

from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from ldrps.data.image_files import read_picture
from ldrps.data.images import Entry, find_images
from ldrps.data.samples import Sample, Unreadable


class PairedFiles(Dataset[Entry]):
    """Reads a degraded image and its target; a pair that does not fit becomes `Unreadable`.

    Args:
        pairs: Degraded file, target file and name of each pair.
        max_pixels: Larger pictures are refused.
    """

    def __init__(self, pairs: list[tuple[Path, Path, str]], max_pixels: int) -> None:
        self.pairs = pairs
        self.max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Entry:
        degraded_path, target_path, name = self.pairs[index]
        try:
            degraded = read_picture(degraded_path, self.max_pixels)
            target = read_picture(target_path, self.max_pixels)
        except (ValueError, OSError) as error:
            return Unreadable(degraded_path, str(error))
        if degraded.image.shape != target.image.shape:
            sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in (degraded.image, target.image)]
            reason = f"{degraded_path} is {sizes[0]} pixels but its target {target_path} is {sizes[1]}: make them equal"
            return Unreadable(degraded_path, reason)
        return Sample(name, degraded_path, degraded.image, degraded.alpha, torch.as_tensor(target.image))


class PairedData(LightningDataModule):
    """Degraded images in ``folder/input`` and their ground truth in ``folder/target``, matched by name.

    Args:
        folder: Folder that holds both.
        input_name: Name of the folder of degraded images.
        target_name: Name of the folder of targets.
        batch_size: Images restored together.
        num_workers: Processes that read ahead.
        max_pixels: Pictures with more pixels are refused.

    Raises:
        ValueError: On set-up, if a folder is missing or empty, or names do not match; the message lists them.
    """

    def __init__(
        self,
        folder: str,
        input_name: str = "input",
        target_name: str = "target",
        batch_size: int = 1,
        num_workers: int = 0,
        max_pixels: int = 4_000_000,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.input_name = input_name
        self.target_name = target_name
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.max_pixels = max_pixels

    def setup(self, stage: str) -> None:
        """Match the files."""
        inputs = self._by_stem(self.input_name)
        targets = self._by_stem(self.target_name)
        if unmatched := sorted(inputs.keys() ^ targets.keys()):
            listed = ", ".join(unmatched[:8]) + (" ..." if len(unmatched) > 8 else "")
            raise ValueError(
                f"{len(unmatched)} name(s) of {self.folder!r} are not in both {self.input_name}/ and "
                f"{self.target_name}/: {listed}"
            )
        self.pairs = [(inputs[stem], targets[stem], stem) for stem in sorted(inputs)]

    def test_dataloader(self) -> DataLoader[Entry]:
        """All pairs in order, as lists of samples."""
        dataset = PairedFiles(self.pairs, self.max_pixels)
        return DataLoader(dataset, batch_size=self.batch_size, num_workers=self.num_workers, collate_fn=list)

    def _by_stem(self, name: str) -> dict[str, Path]:
        folder = Path(self.folder) / name
        if not folder.is_dir():
            raise ValueError(
                f"folder {str(folder)!r} is missing: degraded images belong into {self.input_name}/, "
                f"their ground truth under the same names into {self.target_name}/"
            )
        return {str(relative.with_suffix("")): file for file, relative in find_images(str(folder))}
