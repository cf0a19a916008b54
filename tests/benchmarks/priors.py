"""`make bench-priors DATA=FOLDER`: what each semantic prior does for the blind preset, all else equal.

python -m tests.benchmarks.priors --data FOLDER --output runs/priors [--limit N] [--texts FOLDER]
"""

import json

import numpy as np

from tests.benchmarks.rows import parse_options, run_rows


def variants(texts):
    """Preset and changes of each row, by the name of the row."""
    priors = {
        "none": ["--model.prior=modules.priors.null.Null"],
        "text: good quality": [
            "--model.prior=modules.priors.text.Text",
            "--model.prior.prompt=a photo of good quality",
        ],
        "DA-CLIP captions": ["--model.prior=modules.priors.da_clip.DACLIP", "--model.prior.names_damage=false"],
        "DA-CLIP captions, damage": ["--model.prior=modules.priors.da_clip.DACLIP"],
        "DA-CLIP adapter": ["--model.prior=modules.priors.da_clip_adapter.DACLIPAdapter"],
        "DA-CLIP adapter, captions": [
            "--model.prior=modules.priors.da_clip_adapter.DACLIPAdapter",
            "--model.prior.with_text=true",
        ],
    }
    if texts:
        priors["text: by a person"] = [
            "--model.prior=modules.priors.prompt_file.PromptFile",
            f"--model.prior.folder={texts}",
        ]
    rows = {name: ("blind", arguments) for name, arguments in priors.items()}
    # The output filter hides most of what a prior does to the sample: the same without it.
    decoded = "--model.output=modules.outputs.decoded.Decoded"
    return rows | {f"{name}; sample": ("blind", [*arguments, decoded]) for name, arguments in priors.items()}


def differences(run, suites, kind):
    """PSNR without text and the differences to it, with a bootstrap interval over all pairs of photo and damage.

    Args:
        run: Run folder.
        suites: Damages, the columns.
        kind: "" for the result, "; sample" for the decoded sample.
    """
    psnr = {}
    for line in (run / "results.jsonl").read_text().splitlines():
        row = json.loads(line)
        psnr.setdefault(row["restorer"], {})[row["suite"], row["key"]] = row["metrics"].get("psnr")
    base = psnr.pop(f"none{kind}")
    means = [np.mean([value for (suite, _), value in base.items() if suite == own]) for own in suites]
    header = f"| {kind.strip('; ') or 'result'} | {' | '.join(suites)} | mean difference, 95 % interval |"
    lines = [header, "| --- |" + " --- |" * (len(suites) + 1)]
    lines.append(f"| none | {' | '.join(f'{mean:.2f}' for mean in means)} | |")
    for name, values in psnr.items():
        if name == "input" or name.endswith("; sample") != bool(kind):
            continue
        gains = {pair: values[pair] - base[pair] for pair in base}
        cells = [f"{np.mean([gain for (suite, _), gain in gains.items() if suite == own]):+.2f}" for own in suites]
        everything = np.array(list(gains.values()))
        draws = np.random.default_rng(0).choice(everything, (4000, len(everything))).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        cells.append(f"{everything.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
        lines.append(f"| {name.removesuffix('; sample')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    options = parse_options(__doc__, "runs/priors", texts="folder with a text file for each photo")
    code = run_rows(variants(options.texts), options)
    tables = [differences(options.output / "run", options.suite, kind) for kind in ("", "; sample")]
    (options.output / "differences.md").write_text("\n\n".join(tables) + "\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
