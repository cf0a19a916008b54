"""What `ldrps degrade` does: degraded copies of clean pictures, receipts that rebuild them, and contact sheets."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from degradations.base import Degradation
from degradations.receipts import Receipt, current_versions, degrade_with_receipt, fingerprint, read_receipt, to_json
from degradations.suites import load_suites, merged
from ldrps.commands.account import Account, read_all, say
from ldrps.commands.degrade import Degrade
from ldrps.data.image_files import Picture, read_picture, write_picture
from ldrps.data.image_generator import image_generator
from ldrps.data.inputs import find_images, name_outputs, named_images
from ldrps.data.outputs import check_outputs, prepare_folder, without_results
from ldrps.data.shipped import suite_folder
from ldrps.results.contact_sheet import contact_sheet, thumbnail
from modules.pictures import to_pil
from modules.safe_files import complete_or_absent

SHEET_SIDE_PX = 256
NUM_DRAWS = 16
"""Tiles of a sheet of one suite."""


def degrade(job: Degrade) -> Account:
    """Do a job; one bad file does not stop the others.

    Raises:
        ValueError: If the job as a whole cannot be done.
    """
    if job.replay is not None:
        if job.suite or job.sheet or job.pairs:
            raise ValueError("--replay takes everything from the receipts: leave --suite, --sheet and --pairs out")
        return replay(job)
    if job.sheet and job.pairs:
        raise ValueError("--sheet writes contact sheets only: leave --pairs out")
    chosen = job.suite or (["all"] if job.sheet else [])
    suites = merged(load_suites(name, suite_folder()) for name in chosen)
    if not suites:
        names = ", ".join(sorted(file.stem for file in (suite_folder()).glob("*.yaml")))
        raise ValueError(f"no suite was named: add --suite NAME with one of {names}, or a YAML file")
    found = [one for pattern in job.inputs for one in find_images(pattern)]
    files = name_outputs(without_results(found, job.inputs, job.output))
    return write_sheets(job, suites, files) if job.sheet else write_copies(job, suites, files)


def write_copies(job: Degrade, suites: dict[str, Degradation], files: Sequence[tuple[Path, str]]) -> Account:
    """Write a degraded copy and a receipt of each picture for each suite."""
    folders = {suite: job.output / suite if len(suites) > 1 else job.output for suite in suites}
    inputs = {suite: folder / "input" if job.pairs else folder for suite, folder in folders.items()}
    outputs = [path_in(folder, name) for folder in inputs.values() for _, name in files]
    targets = [path_in(folder / "target", name) for folder in folders.values() for _, name in files if job.pairs]
    receipts = [receipt_of(path) for path in outputs]
    check_outputs([*outputs, *receipts, *targets], [file for file, _ in files], job.overwrite)
    prepare_folder(job.output)
    account = Account()
    for picture, file, name in read_all(files, account, "degrading"):
        for suite, degradation in suites.items():
            generator = image_generator(picture.image, job.seed)
            try:
                degraded, receipt = degrade_with_receipt(
                    picture.image, degradation, generator, suite, job.seed, picture.alpha
                )
            except Exception as error:  # Whatever a suite of the user's own raises costs its picture only.
                fail(account, file, suite, error)
                continue
            path = path_in(inputs[suite], name)
            write_picture(to_pil(degraded, picture.alpha), path)
            write_receipt(receipt, receipt_of(path))
            if job.pairs:
                write_picture(to_pil(picture.image, picture.alpha), path_in(folders[suite] / "target", name))
            account.done += 1
    say(f"{account.done} degraded picture(s) with receipts in {job.output}")
    return account


def fail(account: Account, file: Path, suite: str, error: Exception) -> None:
    """Count a picture that a suite could not degrade; with LDRPS_DEBUG, raise what it raised."""
    if "LDRPS_DEBUG" in os.environ:
        raise error
    kind = "" if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: "
    account.fail(f"{file} could not be degraded by {suite}: {kind}{error}")


def write_sheets(job: Degrade, suites: dict[str, Degradation], files: Sequence[tuple[Path, str]]) -> Account:
    """Write one contact sheet per picture: all suites once, or many draws of the only one."""
    # Sheets of one photo and other suites go beside it; of many suites, the names might be too long for a file's.
    named = "".join(f".{Path(suite).stem}" for suite in job.suite or [])[:100]
    sheets = [(file, f"{name}{named}.sheet") for file, name in files]
    outputs = [path_in(job.output, sheet) for _, sheet in sheets]
    check_outputs(outputs, [file for file, _ in files], job.overwrite)
    prepare_folder(job.output)
    account = Account()
    for picture, file, name in read_all(sheets, account, "drawing sheets"):
        image = thumbnail(picture.image, SHEET_SIDE_PX)
        draws = [(suite, degradation, job.seed) for suite, degradation in suites.items()]
        if len(suites) == 1:
            draws = [
                (suite, degradation, job.seed + draw) for suite, degradation, _ in draws for draw in range(NUM_DRAWS)
            ]
        tiles = [("clean", image)]
        for suite, degradation, seed in draws:
            try:
                degraded, receipt = degrade_with_receipt(image, degradation, image_generator(image, seed), suite, seed)
            except Exception as error:  # Whatever a suite of the user's own raises costs its picture only.
                fail(account, file, suite, error)
                continue
            tiles.append((suite if len(suites) > 1 else f"{seed}: {', '.join(receipt.words) or 'nothing'}", degraded))
        write_picture(contact_sheet(tiles, columns=6), path_in(job.output, name))
        account.done += 1
    say(f"{account.done} contact sheet(s) in {job.output}")
    return account


def replay(job: Degrade) -> Account:
    """Rebuild what receipts describe from the clean pictures among the inputs, and compare bit for bit."""
    assert job.replay is not None
    receipts = find_receipts(job.replay)
    files = named_images(job.inputs)
    outputs = [path_in(job.output, name) for _, name in receipts]
    check_outputs(outputs, [file for file, _ in files], job.overwrite)
    prepare_folder(job.output)
    account = Account()
    clean = {identity(picture): file for picture, file, _ in read_all(files, account, "looking for originals")}
    same = 0
    for path, name in track(receipts, "replaying", console=Console(stderr=True), transient=True):
        try:
            receipt = read_receipt(path)
            wanted = receipt.input_sha256, receipt.alpha_sha256
            if wanted not in clean:
                raise ValueError(f"receipt {path} was made for a picture that is not among the inputs: give it as IN")
            picture = read_picture(clean[wanted])
            degraded = receipt.replay(picture.image)
        except (ValueError, OSError) as error:
            account.fail(str(error) if str(path) in str(error) else f"receipt {path}: {error}")
            continue
        write_picture(to_pil(degraded, picture.alpha), path_in(job.output, name))
        account.done += 1
        if fingerprint(degraded) == receipt.output_sha256:
            same += 1
        else:
            account.fail(difference(path, receipt))
    say(f"{account.done} picture(s) rebuilt in {job.output}, {same} of them bit for bit")
    return account


def identity(picture: Picture) -> tuple[str, str]:
    """Fingerprints of a picture's colours and opacity."""
    return fingerprint(picture.image), "" if picture.alpha is None else fingerprint(picture.alpha)


def difference(path: Path, receipt: Receipt) -> str:
    """Say that a rebuilt picture is not what the receipt promised, and the likely reason."""
    then, now = receipt.versions, current_versions()
    changed = [f"{name} {then.get(name)} is now {now[name]}" for name in now if then.get(name) != now[name]]
    reason = "; ".join(changed) or "no version changed: the code or the processor did"
    return f"receipt {path}: the rebuilt picture differs from the first one ({reason})"


def find_receipts(path: Path) -> list[tuple[Path, str]]:
    """List receipts, each with the name of the picture it rebuilds.

    Raises:
        ValueError: If there is none.
    """
    if path.is_file():
        return [(path, path.stem)]
    found = sorted(path.rglob("*.json"))
    if not found:
        raise ValueError(f"--replay {str(path)!r} holds no receipt: give a JSON file of `ldrps degrade` or its folder")
    return [(file, str(file.relative_to(path).with_suffix(""))) for file in found]


def path_in(folder: Path, name: str) -> Path:
    """Path of the picture of that name."""
    return folder / f"{name}.png"


def receipt_of(path: Path) -> Path:
    """Path of a picture's receipt."""
    return path.with_suffix(".json")


def write_receipt(receipt: Receipt, path: Path) -> None:
    """Write a receipt so that the file is either complete or absent."""
    with complete_or_absent(path) as stream:
        stream.write(to_json(receipt).encode())
