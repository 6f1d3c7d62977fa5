"""Which recipe a configuration is, by its `system_type`, its stage and its `guidance_type`."""

from collections.abc import Mapping
from dataclasses import dataclass

from lodestone.errors import SettingError
from lodestone.launch.document import Document
from lodestone.launch.interpolation import resolve

__all__ = ["GUIDANCES", "STAGES", "SYSTEMS", "Guidance", "System", "choosers", "find_guidance", "find_system"]


@dataclass(frozen=True)
class Guidance:
    """A kind of guidance."""

    name: str
    """As in `guidance_type`."""
    estimator: str
    """As in `lodestone recipes`."""
    prompt_first: bool = False
    """Whether its scale s' is that of `eps_y + s' (eps_y - eps_null)`: this library's s is s' + 1.

    Elsewhere it is that of `eps_null + s (eps_y - eps_null)`, as here.
    """


GUIDANCES = (
    Guidance("stable-diffusion-guidance", "sds", prompt_first=True),
    Guidance("stable-diffusion-unified-guidance", "sds"),
    Guidance("stable-diffusion-vsd-guidance", "vsd"),
    Guidance("stable-diffusion-sdi-guidance", "sdi", prompt_first=True),
    Guidance("stable-diffusion-asd-guidance", "asd"),
    Guidance("lods-embedding-guidance", "lods-embedding"),
    Guidance("lods-lora-guidance", "lods-lora"),
)


@dataclass(frozen=True)
class System:
    """A system at one of its stages."""

    name: str
    """As in `system_type`."""
    stage: str
    """`coarse`, `refine`, `geometry` or `texture`; empty if there is one alone."""
    guidance: str
    """What it is guided by unless the configuration says otherwise; its estimator is the recipe's own."""
    origin: str
    """The function of `origins` that it begins with."""
    recipe: str
    estimator: str


SDS, VSD = "stable-diffusion-guidance", "stable-diffusion-vsd-guidance"

SYSTEMS = (
    System("dreamfusion-system", "", SDS, "dreamfusion", "dreamfusion", "sds"),
    System("magic3d-system", "coarse", SDS, "magic3d_coarse", "magic3d", "sds"),
    System("magic3d-system", "refine", SDS, "magic3d", "magic3d", "sds"),
    System("sjc-system", "", SDS, "sjc", "sjc", "sjc"),
    System("latentnerf-system", "coarse", SDS, "latent_nerf_coarse", "latent-nerf", "sds"),
    System("latentnerf-system", "refine", SDS, "latent_nerf", "latent-nerf", "sds"),
    System("fantasia3d-system", "geometry", SDS, "fantasia3d_geometry", "fantasia3d", "sds"),
    System("fantasia3d-system", "texture", SDS, "fantasia3d", "fantasia3d", "sds"),
    System("prolificdreamer-system", "coarse", VSD, "prolificdreamer_coarse", "prolificdreamer", "vsd"),
    System("prolificdreamer-system", "geometry", SDS, "prolificdreamer_geometry", "prolificdreamer", "sds"),
    System("prolificdreamer-system", "texture", VSD, "prolificdreamer", "prolificdreamer", "vsd"),
    System(
        "lods-ngp-system",
        "",
        "lods-embedding-guidance",
        "lods_ngp_embedding",
        "lods-ngp-embedding",
        "lods-embedding",
    ),
    System("lods-ngp-system", "", "lods-lora-guidance", "lods_ngp_lora", "lods-ngp-lora", "lods-lora"),
    System(
        "lods-gs-system",
        "",
        "lods-embedding-guidance",
        "lods_gs_embedding",
        "lods-gs-embedding",
        "lods-embedding",
    ),
    System("gaussian-splatting-system", "", SDS, "sds_gs", "sds-gs", "sds"),
    System("gaussiandreamer-system", "", SDS, "sds_gs", "sds-gs", "sds"),
)

STAGES: Mapping[str, tuple[str, str, str]] = {
    "magic3d-system": ("system.refinement", "coarse", "refine"),
    "latentnerf-system": ("system.refinement", "coarse", "refine"),
    "fantasia3d-system": ("system.texture", "geometry", "texture"),
}
"""The key that says which stage it is, and what its absence and its truth mean."""


def choosers(system: str) -> tuple[str, ...]:
    """The keys that decide which recipe it is, for a `system_type`."""
    stage = STAGES[system][0] if system in STAGES else "system.stage"
    staged = len({known.stage for known in SYSTEMS if known.name == system}) > 1
    return ("system_type", "system.guidance_type", *((stage,) if staged else ()))


def find_system(document: Document) -> System:
    """The system and stage of a configuration.

    Raises: SettingError naming what there is if it is another one.
    """
    name = word(document, "system_type")
    same = [system for system in SYSTEMS if system.name == name]
    if not same:
        known = ", ".join(dict.fromkeys(system.name for system in SYSTEMS))
        raise SettingError(f"{told(document, 'system_type', name)}: choose among {known}")
    stage = stage_of(document, name, same)
    candidates = [system for system in same if system.stage == stage]
    if not candidates:
        known = ", ".join(system.stage for system in same)
        raise SettingError(f"{told(document, 'system.stage', stage)}: choose among {known}")
    guidance = word(document, "system.guidance_type")
    return next((system for system in candidates if system.guidance == guidance), candidates[0])


def stage_of(document: Document, name: str, same: list[System]) -> str:
    """Which stage it is; empty if the system has one alone."""
    if name in STAGES:
        key, otherwise, meant = STAGES[name]
        entry = document.given(key)
        if entry is None:
            return otherwise
        value = resolve(document, entry).value
        if not isinstance(value, bool):
            raise entry.wrong("true or false")
        return meant if value else otherwise
    return word(document, "system.stage") or "coarse" if len({system.stage for system in same}) > 1 else ""


def find_guidance(document: Document, system: System) -> Guidance:
    """The guidance of a configuration, or else its system's own.

    Raises: SettingError naming what there is if it is another one.
    """
    name = word(document, "system.guidance_type") or system.guidance
    for guidance in GUIDANCES:
        if guidance.name == name:
            return guidance
    known = ", ".join(guidance.name for guidance in GUIDANCES)
    raise SettingError(f"{told(document, 'system.guidance_type', name)}: choose among {known}")


def word(document: Document, key: str) -> str:
    """The text under a key; empty if there is none."""
    entry = document.given(key)
    return "" if entry is None else str(resolve(document, entry).value)


def told(document: Document, key: str, value: str) -> str:
    """The beginning of a sentence about a value that is not known."""
    entry = document.given(key)
    return f"{document.name} has no {key}" if entry is None else f"{entry.where} is {value!r}, which is not known here"
