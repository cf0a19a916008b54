"""Who may read a file that was written."""

from pathlib import Path


def give_usual_modes(folder: Path) -> None:
    """Let whoever may read a new file here read all of a folder: safetensors leaves weights to their owner alone.

    Args:
        folder: Its files, and those of the folders in it.
    """
    # What the umask is can only be asked by setting it, for all threads at once.
    probe = folder / ".ldrps-mode"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(mode)
