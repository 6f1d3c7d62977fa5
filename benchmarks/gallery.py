"""Every published system's draft on one prompt: `python benchmarks/gallery.py [RECIPE ...]`; without names, all.

Each is run as a user runs it, `lodestone generate "a hamburger" --recipe RECIPE --prior embedded --formats glb`, one
after the other. Beside its contact sheet stand the seconds of each stage, the largest memory, the rank at which the
picture index recognises it (8 views), and what its exported mesh is like: PSNR and silhouette IoU against the scene,
and the errors that the Khronos validator finds. Results are kept in `docs/gallery/figures.json` as soon as they are
there, and `docs/gallery/README.md` is written from them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from validate_gltf import install, validate

from lodestone.data.emoji import load_emoji
from lodestone.evaluation.recognition import PictureIndex
from lodestone.export.pictures import render_views
from lodestone.optimize.run_folder import RunFolder
from lodestone.recipes.choose import describe, recipes
from lodestone.storage import write_text
from lodestone.stored_runs import read_scene

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
FIGURES = FOLDER / "figures.json"
PROMPT, NAME = "a hamburger", "hamburger"
WIDTH = 1200
SYSTEMS = (
    "dreamfusion", "sjc", "latent-nerf", "magic3d", "fantasia3d", "prolificdreamer", "csd", "ssd-nerf", "ssd-gs",
    "lucid-dreamer", "hifa", "dreamtime", "lods-gs-embedding", "lods-ngp-embedding", "lods-ngp-lora", "dreamgaussian",
)  # fmt: skip


def run(recipe: str, prior: str, output: Path) -> tuple[RunFolder, float]:
    """The finished run's folder, and the most memory that it took, in MB."""
    program = "import sys; from lodestone.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["generate", PROMPT, "--recipe", recipe, "--prior", prior, "--formats", "glb", "--output", str(output)]
    process = subprocess.Popen([sys.executable, "-c", program, *words, "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{recipe} ended with status {os.waitstatus_to_exitcode(status)}")
    (folder,) = output.glob("*/*")
    return RunFolder(folder), usage.ru_maxrss / 1024


def stages_of(folder: RunFolder) -> list[RunFolder]:
    """Every stage's folder, first stage first."""
    return [*(stages_of(folder.previous) if folder.previous.exists else []), folder]


def rank_of(folder: RunFolder, index: PictureIndex) -> int:
    """At which place the index names the prompt, from 8 views."""
    scene, experiment = read_scene(folder.path)
    renderings = render_views(scene, experiment.evaluation.viewpoints(8), 224)
    views = torch.cat([rendering.color.permute(0, 3, 1, 2) for rendering in renderings])
    return index.rank(views, load_emoji().names.index(NAME))


def sheet_of(stages: list[RunFolder]) -> Image.Image:
    """The contact sheets of all stages, one below the other."""
    sheets = [Image.open(stage.asset / "views.png").convert("RGB") for stage in stages]
    sheets = [sheet.resize((WIDTH, round(sheet.height * WIDTH / sheet.width)), Image.LANCZOS) for sheet in sheets]
    whole = Image.new("RGB", (WIDTH, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole


def measure(recipe: str, prior: str, index: PictureIndex) -> dict:
    """Runs one recipe; keeps its sheet."""
    with tempfile.TemporaryDirectory() as output:
        began = time.perf_counter()
        folder, memory = run(recipe, prior, Path(output))
        seconds = time.perf_counter() - began
        stages = stages_of(folder)
        sheet_of(stages).save(FOLDER / f"{recipe}.webp", quality=82)
        agreement = json.loads((folder.asset / "mesh.json").read_text())["agreement"]["mesh.glb"]
        timings = [json.loads(stage.timing.read_text()) for stage in stages]
        return {
            "stages": [round(timing["loading"] + timing["optimization"]) for timing in timings],
            "seconds": round(seconds),
            "memory": round(memory),
            "rank": rank_of(folder, index),
            "psnr": agreement["psnr"],
            "silhouette_iou": agreement["silhouette_iou"],
            "gltf_errors": validate(folder.asset / "mesh.glb", install())["numErrors"],
        }


def page(figures: dict) -> str:
    """The gallery."""
    lines = [
        "# Gallery",
        "",
        f'Every published system on "{PROMPT}" with the embedded prior, on two CPU cores: its draft, not the paper\'s',
        "settings, one seed, by `python benchmarks/gallery.py`. Rank: at which place among 1,852 names the picture",
        "index says hamburger, from 8 views. PSNR and IoU: the exported mesh.glb, rendered again, against the scene.",
        "Version 0 of the prior had seen every thing from the front alone; version 1 knows sides.",
        "",
        "| recipe | seconds of each stage | with files | memory, MB | rank | PSNR, dB | IoU | glTF errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    done = [recipe for recipe in SYSTEMS if recipe in figures]
    for recipe in done:
        one = figures[recipe]
        stages = " + ".join(map(str, one["stages"]))
        lines.append(
            f"| [{recipe}](#{recipe}) | {stages} | {one['seconds']} | {one['memory']} | {one['rank']} "
            f"| {one['psnr']:.1f} | {one['silhouette_iou']:.3f} | {one['gltf_errors']} |"
        )
    known = recipes()
    for recipe in done:
        lines += ["", f"## {recipe}", "", describe(known[recipe]), "", f"![{recipe}]({recipe}.webp)"]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("recipes", nargs="*", default=list(SYSTEMS))
    options.add_argument("--prior", default="embedded")
    options.add_argument("--page", action="store_true", help="write the page from what is there and stop")
    chosen = options.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    index = None if chosen.page else PictureIndex.load()
    for recipe in [] if chosen.page else chosen.recipes:
        figures[recipe] = measure(recipe, chosen.prior, index)
        print(recipe, figures[recipe], flush=True)
        write_text(FIGURES, json.dumps(figures, indent=1, sort_keys=True) + "\n")
    write_text(FOLDER / "README.md", page(figures))


if __name__ == "__main__":
    main()
