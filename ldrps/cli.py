"""The `ldrps` command: everyday verbs, and Lightning's verbs behind them."""

import argparse
import errno
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

SUMMARY = """\
ldrps restores damaged photos without being told what is wrong with them.

  ldrps restore IN... --output DIR    restore photos, folders or globs
  ldrps degrade IN... --suite NAME --output DIR
                                      make degraded copies of clean photos, with receipts that rebuild them
  ldrps test --suite NAME... --clean IN... --output RUN
                                      restore degraded copies of clean photos, score them beside simple tools
  ldrps test --pairs FOLDER --output RUN
                                      restore FOLDER/input, score against FOLDER/target
  ldrps caption IN... --prior X       write what a prior says of each photo beside it, for later runs
  ldrps convert FILE --output FOLDER  make a DA-CLIP folder of an official checkpoint
  ldrps report RUN                    make tables and the HTML page of a run folder again
  ldrps predict --config X ...        Lightning's predict, every setting by name
  ldrps fit --config train/X ...      train the embedded models
  ldrps validate --config train/X ... score a trained model on held-out photos

`ldrps VERB --help` lists the options of a verb; `--print_config` shows a resolved run.
"""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MINI = "package:ldrps/pretrained/mini"
AUTO_PRESETS = ("blind", "best")
"""Where `ldrps restore` looks for text by itself; every other preset says which prior it wants."""

LIGHTNING_VERBS = ("fit", "validate", "test", "predict")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 all done, 1 something failed, 2 wrong use or input."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if not argv or argv[0] in {"-h", "--help", "help"}:
        sys.stdout.write(SUMMARY)
        return 0
    if argv[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"ldrps {version('ldrps')}\n")
        return 0
    if argv[0] == "degrade":
        return run_degrade(argv[1:])
    if argv[0] == "report":
        return run_report(argv[1:])
    if argv[0] == "caption":
        return run_caption(argv[1:])
    if argv[0] == "convert":
        return run_convert(argv[1:])
    if argv[0] == "restore":
        argv = restore_arguments(argv[1:])
    elif argv[0] == "test" and is_everyday_test(argv[1:]):
        return run_test(argv[1:])
    elif argv[0] not in LIGHTNING_VERBS:
        return fail(
            f"unknown verb {argv[0]!r}: choose restore, degrade, caption, convert, report, {', '.join(LIGHTNING_VERBS)}"
        )
    return run_lightning(lambda: argv)


def restore_arguments(argv: Sequence[str]) -> list[str]:
    """Translate `ldrps restore` into `ldrps predict`.

    Example:
        >>> restore_arguments(["a.png", "--output", "out"])[:3]
        ['predict', '--config', 'blind']
    """
    parser = argparse.ArgumentParser(
        prog="ldrps restore",
        description="Restore photos. Any other setting of `ldrps predict` can be added, such as "
        "--model.sampling.num_inference_steps 30.",
        allow_abbrev=False,
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="image files, folders or glob patterns")
    parser.add_argument("--output", "-o", default="restored", metavar="DIR", help="folder for the pictures (restored)")
    parser.add_argument("--config", "-c", default="blind", metavar="X", help="preset name or YAML file (blind)")
    parser.add_argument("--compare", action="store_true", help="also write before|after pictures")
    parser.add_argument("--trajectory", type=int, default=0, metavar="N", help="also write a film strip of N frames")
    parser.add_argument("--overwrite", action="store_true", help="replace pictures of earlier runs")
    parser.add_argument(
        "--prior",
        metavar="X",
        help="semantic prior: auto, null, text, prompt_file, mllm, endpoint, da_clip, da_clip_adapter, a YAML file "
        "or a class path (auto)",
    )
    parser.add_argument("--prompt", metavar="TEXT", help="what the restored photos should show")
    parser.add_argument("--backbone", metavar="X", help="folder or hub id of a Stable Diffusion model (mini)")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the run (0)")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="images restored together (1)")
    parser.add_argument("--device", default="auto", metavar="X", help="auto, cpu, cuda or mps (auto)")
    everyday, settings = split_settings(argv)
    options = parser.parse_args(everyday)

    translated = ["predict", "--config", options.config]
    translated += [f"--data.inputs=[{', '.join(quoted(name) for name in options.inputs)}]"]
    translated += [f"--data.batch_size={options.batch_size}", f"--writer.output={options.output}"]
    translated += [f"--writer.compare={str(options.compare).lower()}", f"--writer.trajectory={options.trajectory}"]
    translated += [f"--writer.overwrite={str(options.overwrite).lower()}", f"--trainer.accelerator={options.device}"]
    prior = options.prior or ("auto" if options.config in AUTO_PRESETS else None)
    if prior is not None:
        translated += ["--model.prior", prior]
    if options.prompt is not None:
        text = f'"class_path": "modules.priors.text.Text", "init_args": {{"prompt": {quoted(options.prompt)}}}'
        translated += [f"--model.prior={{{text}}}"]
    if options.backbone is not None:
        translated += [f"--model.backbone.path={options.backbone}"]
    if options.seed is not None:
        translated += [f"--model.seed={options.seed}"]
    return translated + settings


EVERYDAY_TEST = ("--suite", "--clean", "--pairs", "--output", "-o", "--help", "-h")


def is_everyday_test(argv: Sequence[str]) -> bool:
    """Whether `ldrps test` was called in its short form and not as Lightning's verb.

    Example:
        >>> is_everyday_test(["--pairs", "x"]), is_everyday_test(["--config", "blind", "--data.folder", "x"])
        (True, False)
    """
    return not argv or any(argument.partition("=")[0] in EVERYDAY_TEST for argument in argv)


def run_test(argv: Sequence[str]) -> int:
    """Translate `ldrps test` into Lightning's verb on a comparison, and run it."""
    parser = argparse.ArgumentParser(
        prog="ldrps test",
        description="Restore degraded images with known clean ones and score the results, beside simple tools. Any "
        "setting of a preset can be changed, such as --model.sampling.num_inference_steps 30.",
        allow_abbrev=False,
    )
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--clean", nargs="+", metavar="IN", help="clean images: files, folders, globs")
    data.add_argument("--pairs", metavar="FOLDER", help="folder with input/ and target/, matched by name")
    parser.add_argument("--suite", "-s", nargs="+", action="extend", metavar="NAME", help="suites or YAML files")
    parser.add_argument("--output", "-o", required=True, metavar="RUN", help="run folder")
    parser.add_argument("--config", "-c", action="append", metavar="X", help="restorer; may be repeated (blind)")
    parser.add_argument("--protocol", "-p", default="default", metavar="X", help="how to measure (default)")
    parser.add_argument("--no-baselines", action="store_true", help="leave the simple tools out")
    parser.add_argument("--resume", action="store_true", help="go on with a run folder")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the damage (0)")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N clean images")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="part I of N, for machines that share RUN")
    parser.add_argument("--batch-size", type=int, default=1, metavar="N", help="images restored together (1)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that read ahead (0)")
    parser.add_argument("--device", default="auto", metavar="X", help="auto, cpu, cuda or mps (auto)")
    parser.add_argument("--wandb", metavar="PROJECT", help="log to Weights & Biases, offline when not logged in")
    everyday, settings = split_settings(argv)
    options = parser.parse_args(everyday)
    if options.clean and not options.suite:
        return fail("--clean needs --suite NAME, which says how to degrade the images; --suite all takes every one")
    if options.pairs and (options.suite or options.limit is not None):
        return fail("--pairs holds degraded images already: leave --suite and --limit out")

    about_models = [argument for argument in joined(settings) if argument.startswith("--model.")]
    others = [argument for argument in joined(settings) if not argument.startswith("--model.")]
    translated = ["test", "--config", f"test/{options.protocol}" if "." not in options.protocol else options.protocol]
    if options.clean:
        translated += ["--data=ldrps.data.clean.CleanData", f"--data.inputs={json.dumps(options.clean)}"]
        translated += [f"--data.suites={json.dumps(options.suite)}", f"--data.seed={options.seed}"]
        translated += [] if options.limit is None else [f"--data.limit={options.limit}"]
    else:
        translated += ["--data=ldrps.data.pairs.PairedData", f"--data.folder={options.pairs}"]
    translated += [f"--data.shard={options.shard}", f"--data.batch_size={options.batch_size}"]
    translated += [f"--data.num_workers={options.workers}", f"--results.output={options.output}"]
    translated += [f"--results.resume={str(options.resume).lower()}", f"--trainer.accelerator={options.device}"]
    translated += [] if options.wandb is None else [f"--wandb.project={options.wandb}"]

    def build() -> list[str]:
        from ldrps.configuration.lightning_cli import comparison

        model = comparison(options.config or ["blind"], about_models, not options.no_baselines)
        return [*translated, f"--model={model}", *others]

    return run_lightning(build)


def joined(settings: Sequence[str]) -> list[str]:
    """Write every setting as one argument.

    Example:
        >>> joined(["--model.seed", "3", "--data.x=2"])
        ['--model.seed=3', '--data.x=2']
    """
    one_each: list[str] = []
    for argument in settings:
        if argument.startswith("--") or not one_each or "=" in one_each[-1]:
            one_each.append(argument)
        else:
            one_each[-1] += f"={argument}"
    return one_each


def run_report(argv: Sequence[str]) -> int:
    """Run `ldrps report` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ldrps report", description="Merge a run folder's rows and make its tables, pictures and HTML page again."
    )
    parser.add_argument("folder", metavar="RUN", help="run folder of `ldrps test`")
    options = parser.parse_args(argv)

    from ldrps.results.conclusion import conclude
    from ldrps.results.run_folder import RunFolder

    def run() -> int:
        conclude(RunFolder(Path(options.folder)))
        sys.stdout.write(f"report: {Path(options.folder) / 'report.html'}\n")
        return 0

    return run_job(run, "interrupted; the rows are kept")


def run_caption(argv: Sequence[str]) -> int:
    """Run `ldrps caption` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ldrps caption",
        description="Write what a prior says of each photo into photo.txt, and what it should not show into "
        "photo.negative.txt; `ldrps restore` reads both. Settings of the prior can be added, such as "
        "--prior.question TEXT.",
        allow_abbrev=False,
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="image files, folders or glob patterns")
    parser.add_argument("--prior", default="da_clip", metavar="X", help="mllm, endpoint, da_clip or another (da_clip)")
    parser.add_argument("--backbone", default=MINI, metavar="X", help="pipeline folder that may hold a DA-CLIP (mini)")
    parser.add_argument("--device", default="auto", metavar="X", help="auto, cpu, cuda or mps (auto)")
    parser.add_argument("--output", "-o", metavar="DIR", help="folder for the texts (beside the photos)")
    parser.add_argument("--overwrite", action="store_true", help="replace texts that exist (photos with one are left)")
    everyday, settings = split_settings(argv)
    options = parser.parse_args(everyday)

    def run() -> int:
        from ldrps.configuration.quiet import quieten, tell

        quieten()
        tell()
        from ldrps.commands.caption import CaptionJob, caption

        output = None if options.output is None else Path(options.output)
        everything = joined(settings), options.backbone, options.device, output, options.overwrite
        return caption(CaptionJob(options.inputs, options.prior, *everything)).exit_code

    return run_job(run, "interrupted; texts written so far are kept")


def run_convert(argv: Sequence[str]) -> int:
    """Run `ldrps convert` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ldrps convert",
        description="Make a folder of an official DA-CLIP checkpoint (daclip_ViT-B-32.pt, wild-daclip_ViT-L-14.pt) "
        "for the prior da_clip: put it into a backbone's folder as da_clip, or name it with --model.prior.path.",
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", metavar="FILE", help="checkpoint of the official release")
    parser.add_argument("--output", "-o", required=True, metavar="FOLDER", help="folder to make")
    parser.add_argument(
        "--activation",
        default="gelu",
        choices=["gelu", "quick_gelu"],
        help="of the towers: gelu for CLIPs trained on LAION, quick_gelu for OpenAI's (gelu)",
    )
    parser.add_argument(
        "--tokenizer", metavar="X", help="folder or hub id with CLIP's tokenizer, which the priors need"
    )
    parser.add_argument("--overwrite", action="store_true", help="write into a folder that is not empty")
    options = parser.parse_args(argv)

    def run() -> int:
        from ldrps.configuration.quiet import quieten

        quieten()
        from ldrps.commands.convert import ConvertJob, convert

        paths = Path(options.checkpoint), Path(options.output)
        convert(ConvertJob(*paths, options.activation, options.tokenizer, options.overwrite))
        return 0

    return run_job(run, "interrupted; what was written is incomplete")


def run_degrade(argv: Sequence[str]) -> int:
    """Run `ldrps degrade` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ldrps degrade",
        description="Make degraded copies of clean photos, with receipts that rebuild them bit for bit.",
        allow_abbrev=False,
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="image files, folders or glob patterns")
    parser.add_argument(
        "--suite", "-s", action="append", default=[], metavar="NAME", help="suite or YAML file; may be repeated"
    )
    parser.add_argument("--output", "-o", default="degraded", metavar="DIR", help="folder for the pictures (degraded)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the run (0)")
    parser.add_argument("--pairs", action="store_true", help="write input/ and target/, as `ldrps test` reads them")
    parser.add_argument("--sheet", action="store_true", help="write only a contact sheet of each photo, reduced")
    parser.add_argument("--replay", metavar="RECEIPTS", help="rebuild what a receipt, or a folder of them, describes")
    parser.add_argument("--overwrite", action="store_true", help="replace pictures of earlier runs")
    options = parser.parse_args(argv)

    from ldrps.commands.degrade import Job, degrade

    replay = None if options.replay is None else Path(options.replay)
    job = Job(
        options.inputs,
        options.suite,
        Path(options.output),
        options.seed,
        options.overwrite,
        options.pairs,
        options.sheet,
        replay,
    )
    return run_job(lambda: degrade(job).exit_code, "interrupted; pictures finished so far are kept")


def run_job(run: Callable[[], int], when_interrupted: str) -> int:
    """Run one of the everyday verbs and turn what went wrong into one sentence and an exit code."""
    try:
        return run()
    except KeyboardInterrupt:
        return fail(when_interrupted, code=130)
    except (ValueError, OSError, RuntimeError) as error:
        return fail_with(error)


def fail_with(error: Exception) -> int:
    """Say in one sentence what a user can do something about; anything else is a fault of ours and raised again."""
    is_memory = type(error).__name__ == "OutOfMemoryError"
    if "LDRPS_DEBUG" in os.environ or (isinstance(error, RuntimeError) and not is_memory):
        raise error
    if is_memory:
        return fail("the GPU's memory is full: use --device cpu, a smaller model, or smaller batches", code=1)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return fail("the disk is full or a quota is reached: free some space; what was written is kept", code=1)
    return fail(shortened(str(error)))


def split_settings(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the everyday options from dotted settings and their values, wherever they stand.

    Example:
        >>> split_settings(["--model.seed", "3", "a.png", "--data.batch_size=2"])
        (['a.png'], ['--model.seed', '3', '--data.batch_size=2'])
    """
    everyday, settings = [], []
    remaining = iter(argv)
    for argument in remaining:
        option, separator, _ = argument.partition("=")
        if not (option.startswith("--") and "." in option):
            everyday.append(argument)
        else:
            settings += [argument, *islice(remaining, 0 if separator else 1)]
    return everyday, settings


def quoted(text: str) -> str:
    """Write a text so that the settings parser takes it for a text, whatever it looks like.

    Example:
        >>> print(quoted("a: b"))
        "a: b"
    """
    return json.dumps(text, ensure_ascii=False)


def run_lightning(build: Callable[[], list[str]]) -> int:
    """Run one of Lightning's verbs and turn what went wrong into one sentence and an exit code.

    Args:
        build: Makes the arguments; it may raise what a wrong setting raises.
    """
    from ldrps.configuration.quiet import quieten, tell

    quieten()
    tell()
    from jsonargparse import ArgumentError

    from ldrps.configuration.lightning_cli import InterruptError, run

    try:
        records = run(build())
    except InterruptError:
        return fail("interrupted; pictures finished so far are kept", code=130)
    except ArgumentError as error:
        return fail(shortened(str(error)))
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        return fail_with(error)
    failed = [record for record in records if record.error is not None]
    if not failed:
        return 0
    # Nothing that could be read is wrong use; anything that failed while it was restored is a failed run.
    return 2 if len(failed) == len(records) and not any(record.seconds for record in failed) else 1


def shortened(message: str) -> str:
    r"""Cut a message of the settings parser down to what is wrong and where.

    Example:
        >>> shortened("Key 'b' is not accepted\n  - Expected a <class 'NoneType'>\nGiven value: Y(...)")
        "Key 'b' is not accepted"
    """
    message = " ".join(message.split())
    message = re.sub(r"Does not validate against any of the Union subtypes Subtypes: \[.*?\] Errors: - ", "", message)
    return re.split(r" - Expected a <class 'NoneType'>| Given value type: ", message)[0]


def fail(sentence: str, code: int = 2) -> int:
    """Print one sentence to standard error and return the exit code."""
    sys.stderr.write(f"ldrps: {sentence}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
