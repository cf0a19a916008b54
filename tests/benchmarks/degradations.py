"""`make bench-degradations`: images per second of the wild pipeline beside a plain OpenCV/NumPy statement of it.

python -m tests.benchmarks.degradations [--data FOLDER] [--device cpu] [--rounds 3]
"""

import argparse
import platform
import resource
import time
from math import ceil, log2

import cv2
import numpy as np
import torch
from rich.progress import track
from scipy.special import j1
from torch.utils.data import DataLoader

from degradations.dataset import DegradedDataset
from degradations.drawing import generators_for
from degradations.wild import Wild
from tests.benchmarks.restore import load_photos, markdown

NUM_IMAGES = 64
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


class PlainWild:
    """The wild chain as one would write it with OpenCV and NumPy: one image, H x W x 3, float32 in [0, 1]."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def __call__(self, image):
        height, width = image.shape[:2]
        is_resized = self.random.random() < 0.8
        first = {"blur": (0.8, 2.2, 19, 0.1), "resize": None, "noise": 0.4, "jpeg": (60, 95)}
        second = {"blur": (0.4, 1.5, 9, 0.1), "noise": 0.2}
        third = {"blur": (0.8, 1.0, 19, 0.8), "resize": None, "jpeg": (80, 100)}
        for stage in (first, second, third):
            for name in self.random.permutation(list(stage)):
                if name == "blur":
                    image = self.blur(image, *stage["blur"])
                elif name == "noise" and self.random.random() < stage["noise"]:
                    image = self.noise(image)
                elif name == "jpeg" and self.random.random() < 0.4:
                    image = self.jpeg(image, int(self.random.integers(*stage["jpeg"], endpoint=True)))
                elif name == "resize" and is_resized:
                    factor = self.random.uniform(0.5, 1.4)
                    size = (int(width / factor), int(height / factor)) if stage is first else (width, height)
                    image = cv2.resize(image, size, interpolation=self.random.choice(INTERPOLATIONS))
        return np.round(image.clip(0, 1) * 255) / 255

    def blur(self, image, probability, largest_sigma, largest_kernel, sinc):
        if self.random.random() >= probability:
            return image
        size = int(self.random.choice(np.arange(5, largest_kernel + 1, 2)))
        if self.random.random() < sinc:
            return cv2.filter2D(image, -1, self.sinc(size).astype(np.float32))
        kernel = self.kernel(size, largest_sigma)
        blurred = cv2.filter2D(image, -1, kernel.astype(np.float32))
        if size < 8 and self.random.random() < 0.1:
            return self.ring(blurred, kernel)
        return blurred

    def kernel(self, size, largest_sigma):
        kinds = ["gaussian", "gaussian", "general", "general", "plateau", "plateau", "disk", "box", "line", "curve"]
        weights = [0.35, 0.20, 0.10, 0.03, 0.10, 0.03, 0.10, 0.03, 0.03, 0.03]
        number = self.random.choice(10, p=weights)
        kind, is_isotropic = kinds[number], number in (0, 2, 4)
        axis = np.arange(size) - size // 2
        x, y = np.meshgrid(axis, axis)
        if kind == "disk":
            kernel = (np.hypot(x, y) < size // 2 + 1).astype(float)
        elif kind == "box":
            kernel = np.ones((size, size))
        elif kind in ("line", "curve"):
            kernel = np.zeros((size, size))
            angle = self.random.uniform(0, np.pi)
            end = np.round(size // 2 * np.array([np.cos(angle), np.sin(angle)])).astype(int)
            cv2.line(kernel, tuple(map(int, size // 2 - end)), tuple(map(int, size // 2 + end)), 1.0)
        else:
            sigma_x, sigma_y = self.random.uniform(0.2, largest_sigma, 2)
            rotation = 0.0 if is_isotropic else self.random.uniform(-np.pi, np.pi)
            sigma_y = sigma_x if is_isotropic else sigma_y
            along = np.cos(rotation) * x + np.sin(rotation) * y
            across = np.cos(rotation) * y - np.sin(rotation) * x
            q = (along / sigma_x) ** 2 + (across / sigma_y) ** 2
            low, high = (0.5, 2) if kind == "general" else (1, 1.5)
            beta = self.random.uniform(low, 1) if self.random.random() < 0.5 else self.random.uniform(1, high)
            kernel = {"gaussian": np.exp(-q / 2), "general": np.exp(-(q**beta) / 2), "plateau": 1 / (1 + q**beta)}[kind]
            if kind != "plateau":
                kernel = kernel * self.random.uniform(0.9, 1.1, kernel.shape)
        return kernel / kernel.sum()

    def sinc(self, size):
        cutoff = self.random.uniform(np.pi / 3 if size < 13 else np.pi / 5, np.pi)
        axis = np.arange(size) - size // 2
        radius = np.hypot(*np.meshgrid(axis, axis))
        with np.errstate(invalid="ignore", divide="ignore"):
            kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
        kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
        return kernel / kernel.sum()

    def ring(self, blurred, kernel):
        padded = np.pad(blurred, ((20, 20), (20, 20), (0, 0)), mode="symmetric")
        origin = np.zeros(padded.shape[:2])
        origin[: len(kernel), : len(kernel)] = kernel
        transfer = np.fft.fft2(np.roll(origin, (-(len(kernel) // 2),) * 2, (0, 1)))
        inverse = transfer.conj() / (np.abs(transfer) ** 2 + 0.006)
        sharpened = np.fft.ifft2(inverse[..., None] * np.fft.fft2(padded, axes=(0, 1)), axes=(0, 1)).real
        sharpened = sharpened[20:-20, 20:-20].astype(np.float32)
        if self.random.random() < 0.1:
            return cv2.addWeighted(blurred, share := self.random.uniform(0.1, 0.5), sharpened, 1 - share, 0)
        return sharpened

    def noise(self, image):
        height, width = image.shape[:2]
        if self.random.random() < 0.6:
            channels = 1 if self.random.random() < 0.4 else 3
            noise = self.random.standard_normal((height, width, channels), dtype=np.float32)
            image = image + np.float32(self.random.uniform(1, 5) / 255) * noise
        if self.random.random() < 0.4:
            clean = np.round(image.clip(0, 1) * 255) / 255
            if self.random.random() < 0.4:
                clean = cv2.cvtColor(clean.astype(np.float32), cv2.COLOR_RGB2GRAY)[..., None]
            levels = 2 ** ceil(log2(len(np.unique(clean))))
            noise = self.random.poisson(clean * levels) / levels - clean
            image = image + np.float32(self.random.uniform(0.01, 0.5)) * noise.astype(np.float32)
        return np.round(image.clip(0, 1) * 255).astype(np.float32) / 255

    def jpeg(self, image, quality):
        eight_bit = np.round(image.clip(0, 1) * 255).astype(np.uint8)
        _, stream = cv2.imencode(".jpg", eight_bit, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(stream, cv2.IMREAD_COLOR).astype(np.float32) / 255


def best_rates(works, rounds):
    """Images per second of each work's median round; rounds alternate, and the first warms up."""
    seconds = {name: [] for name in works}
    for number in track(range(rounds + 1), "rounds"):
        for name, work in works.items():
            start = time.perf_counter()
            work(number)
            seconds[name].append(time.perf_counter() - start)
    return {name: NUM_IMAGES / float(np.median(values[1:])) for name, values in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    photos = list(load_photos(options.data or None, NUM_IMAGES).values())
    clean = torch.stack([photos[number % len(photos)] for number in range(NUM_IMAGES)])
    arrays = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in clean]
    on_device = clean.to(options.device)

    def batched(codec):
        wild = Wild(codec=codec)

        def work(number):
            wild(on_device, generators_for(number, range(NUM_IMAGES)))
            if options.device == "cuda":
                torch.cuda.synchronize()

        return work

    def plain(number):
        chain = PlainWild(number)
        np.stack([chain(array).transpose(2, 0, 1) for array in arrays])

    pairs = DegradedDataset(list(clean), Wild(), seed=0)

    def loaded(workers):
        loader = DataLoader(pairs, batch_size=16, num_workers=workers, persistent_workers=workers > 0)

        def work(number):
            pairs.set_epoch(number)
            for _ in loader:
                pass

        return work

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    batched("libjpeg")(0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    reference = "OpenCV and NumPy, one image after another, libjpeg"
    works = {
        reference: plain,
        "ldrps, batch, libjpeg": batched("libjpeg"),
        "ldrps, batch, differentiable codec": batched("differentiable"),
        "ldrps, DataLoader, no worker": loaded(0),
        "ldrps, DataLoader, 2 workers": loaded(2),
    }
    rates = best_rates(works, options.rounds)
    rows = [[name, f"{rate:.1f}", f"{rate / rates[reference]:.2f}"] for name, rate in rates.items()]
    table = markdown(["wild, 64 images of 256 x 256", "images/s", "ratio"], rows)
    print(  # noqa: T201
        f"{table}\n\nPeak memory {peak:.0f} MiB, {peak - before:.0f} MiB above the images and libraries. "
        f"{options.device}, {torch.get_num_threads()} threads, torch {torch.__version__}, OpenCV {cv2.__version__}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}."
    )


if __name__ == "__main__":
    main()
