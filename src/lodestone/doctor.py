"""What this machine can do, in plain words: `lodestone doctor`.

Nothing here uses the network, and nothing that is missing or broken is an error: it is a line with its remedy.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import lodestone
from lodestone.errors import SettingError

__all__ = ["examine"]

GIGABYTE = 1e9


def examine() -> list[str]:
    """One line for each thing that a run depends on; the last one says what `lodestone generate` will do here."""
    checks: tuple[Callable[[], str], ...] = (
        versions,
        processor,
        memory,
        native_kernel,
        libraries,
        text_encoder,
        embedded_prior,
        empirical_prior,
        cuda,
        film,
        outputs,
        disk,
        outlook,
    )
    return [guarded(check) for check in checks]


def guarded(check: Callable[[], str]) -> str:
    """The check's line, or why there is none."""
    try:
        return check()
    # A broken installation can raise anything where it is looked at, and to say so is what the doctor is for.
    except Exception as error:
        reason = str(error) if isinstance(error, SettingError) else f"{type(error).__name__}: {error}"
        return f"{check.__name__.replace('_', ' ')}: {' '.join(reason.split())}"


def version(name: str) -> str | None:
    """The installed version of a distribution; None without it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> str:
    """Of everything that results may depend on."""
    import torch

    return (
        f"versions: lodestone {lodestone.__version__}, python {platform.python_version()}, torch {torch.__version__}, "
        f"{platform.system()} {platform.machine()}"
    )


def processor() -> str:
    """Cores that this process may use, and threads that torch uses."""
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    hint = f"; OMP_NUM_THREADS={usable} would use fewer" if torch.get_num_threads() > usable else ""
    return f"processor: {usable} cores, {torch.get_num_threads()} threads{hint}"


def memory() -> str:
    """Of the machine, in GB."""
    pages, free = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_AVPHYS_PAGES")
    size = os.sysconf("SC_PAGE_SIZE") / GIGABYTE
    hint = "" if pages * size >= 4 else "; the small priors need about 2 GB, Stable Diffusion 8 GB or more"
    return f"memory: {pages * size:.1f} GB, {free * size:.1f} GB of it unused{hint}"


def native_kernel() -> str:
    """Which splatting kernel runs on the CPU."""
    from lodestone.kernels.splatting import native_available, native_status

    return f"rendering: {native_status()}{'' if native_available() else '; until then plain torch renders, slowly'}"


def libraries() -> str:
    """What the embedded prior and Stable Diffusion are read with."""
    found = {name: version(name) for name in ("diffusers", "transformers")}
    missing = [name for name, installed in found.items() if installed is None]
    if missing:
        return f"libraries: {' and '.join(missing)} not installed: run `pip install 'lodestone3d[diffusion]'`"
    return f"libraries: {', '.join(f'{name} {installed}' for name, installed in found.items())}"


def text_encoder() -> str:
    """The sentence encoder of both small priors, with its hash checked."""
    from lodestone.prompts.text_encoder import minilm_folder

    minilm_folder()
    return "text encoder: MiniLM is installed, and its weights are the pinned ones"


def embedded_prior() -> str:
    """Whether the trained prior of the package is whole."""
    return f"embedded prior: {embedded_problem() or 'its weights are here and whole'}"


def embedded_problem() -> str:
    """Why `--prior embedded` would not work; empty if it would."""
    from lodestone.priors.embedded import check_embedded, embedded_folder

    try:
        check_embedded(embedded_folder())
    except SettingError as error:
        return str(error)
    return ""


def empirical_prior() -> str:
    """Whether the pictures of the exact prior can be read."""
    from lodestone.data.emoji import load_emoji

    return f"empirical prior: its {len(load_emoji())} captioned pictures are here"


def cuda() -> str:
    """Graphics processor and the library that renders on it."""
    import torch

    if not torch.cuda.is_available():
        return "CUDA: no usable device, everything runs on the CPU"
    gsplat = version("gsplat")
    renders = f"gsplat {gsplat}" if gsplat else "gsplat not installed: run `pip install 'lodestone3d[cuda]'`"
    return f"CUDA: {torch.cuda.get_device_name()}, {renders}; choose it with --device cuda"


def film() -> str:
    """Whether turntables are written as mp4 too."""
    from lodestone.export.pictures import find_ffmpeg

    found = find_ffmpeg()
    return f"film: {found or 'no ffmpeg, turntables are webp only: run `pip install imageio-ffmpeg` for mp4'}"


def outputs() -> str:
    """Whether run folders can be made where `generate` makes them by default; leaves nothing behind."""
    folder = Path("outputs")
    place = folder if folder.is_dir() else Path()
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"{folder} is a file")
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"lodestone")
    except OSError as error:
        return f"outputs: {folder.absolute()} cannot be written ({error}): choose another folder with --output"
    return f"outputs: run folders go to {folder.absolute()}"


def disk() -> str:
    """Free space where run folders go."""
    free = shutil.disk_usage(Path()).free / GIGABYTE
    return f"disk: {free:.1f} GB free{'' if free >= 1 else '; a run takes 10 to 200 MB, free some space'}"


def outlook() -> str:
    """What `lodestone generate` will do here with nothing but a prompt."""
    from lodestone.kernels.splatting import native_available
    from lodestone.prompts.text_encoder import minilm_folder
    from lodestone.recipes.choose import Choice

    chosen = Choice()
    renderer = "the native kernel" if native_available() else "plain torch, which takes many times longer"
    if chosen.prior == "embedded" and (problem := embedded_problem()):
        return f"`lodestone generate` will stop: {problem}"
    if chosen.prior == "embedded" and None in (version("diffusers"), version("transformers")):
        return "`lodestone generate` will stop: its prior needs `pip install 'lodestone3d[diffusion]'`"
    try:
        minilm_folder()
        words = ""
    except SettingError as error:
        words = f", for prompts that name one of its pictures only ({error})" if chosen.prior == "empirical" else ""
    return (
        f"`lodestone generate` will run {chosen.recipe} with the {chosen.prior} prior on the CPU and {renderer}{words}"
    )
