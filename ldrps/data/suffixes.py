"""Endings of file names that are taken for pictures; told without the libraries that read them."""

from pathlib import Path

HEIF_SUFFIXES = frozenset({".heic", ".heif"})
"""Pictures that only the extra `heic` reads."""

RAW_SUFFIXES = frozenset({".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2"})
"""Camera raw, of which Pillow would read the small preview, if anything."""

DEVELOP = "develop it to TIFF or JPEG first"
"""What is to be done with it, for messages."""

JPEG_SUFFIXES = frozenset({".jfif", ".jpe", ".jpeg", ".jpg"})

IMAGE_SUFFIXES = HEIF_SUFFIXES | JPEG_SUFFIXES | {".avif", ".bmp", ".gif", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""File name endings that are taken for pictures when a folder is given."""


def is_raw(path: Path) -> bool:
    """Whether a file is camera raw, by its name."""
    return path.suffix.lower() in RAW_SUFFIXES
