"""Readers of single keys, where a value means something else here or belongs together with others."""

from lodestone.distillation.weighting import PowerOfAlphaSigma, SigmaSquared, Uniform
from lodestone.errors import SettingError
from lodestone.launch.values import (
    Points,
    Remarked,
    Setting,
    flag,
    is_number,
    number,
    numbers,
    points,
    scaled,
    step_at,
    text,
    whole,
)
from lodestone.rendering.background import Black, White
from lodestone.schedules import BrokenLine

__all__ = [
    "activation",
    "backdrop",
    "background_color",
    "begin_of_levels",
    "blob",
    "clip",
    "cube",
    "ellipsoid",
    "emptiness",
    "finest",
    "first_rate",
    "guidance_scale",
    "interval",
    "largest_time",
    "lit",
    "normals",
    "prompt",
    "pruned",
    "random_share",
    "reach",
    "resolution",
    "same_model",
    "same_radius",
    "score_clip",
    "shape",
    "views",
    "weight",
]


def prompt(setting: Setting) -> str:
    """Text."""
    words = text(setting)
    if words.startswith("lib:"):
        raise setting.entry.wrong("the words themselves; threestudio's prompt library is not here")
    return words


def guidance_scale(setting: Setting) -> float:
    """The scale s; threestudio's SDS and SDI write s - 1."""
    scale = number(setting)
    opposed = setting.beside("system.prompt_processor.use_perp_neg")
    if setting.guidance.prompt_first and not (opposed is not None and flag(opposed)):
        return scale + 1
    return scale


def views(setting: Setting) -> int | Remarked:
    """A whole number; of a list the last."""
    value = setting.entry.value
    if not isinstance(value, list):
        return whole(setting)
    last = int(numbers(setting)[-1])
    return last if len(set(value)) == 1 else Remarked(last, f"{last} views in every step")


def resolution(setting: Setting) -> Points | Remarked:
    """Pixels, or a list of them with `data.resolution_milestones`; here a share of the prior's pictures."""
    high, wide = setting.beside("data.height"), setting.beside("data.width")
    chosen = high or wide or setting
    sides = numbers(chosen) if isinstance(chosen.entry.value, list) else [number(chosen)]
    milestones = setting.beside("data.resolution_milestones")
    steps = [] if milestones is None or len(sides) == 1 else [int(step) for step in numbers(milestones)]
    if len(steps) != len(sides) - 1:
        raise chosen.entry.wrong(f"one value, or one more than data.resolution_milestones, which are {steps}")
    line: Points = {"steps": [0], "values": [sides[0]]}
    for step, before, after in zip(steps, sides, sides[1:], strict=False):
        jump = step_at(step, before, after)
        line = {name: (line[name] if step > 1 else []) + jump[name] for name in line}
    share = scaled(line, 1 / setting.side)
    if high and wide and high.entry.value != wide.entry.value:
        return Remarked(share, "pictures are square, as high as data.height")
    return share


def largest_time(setting: Setting) -> Points:
    """A share of the times, or a schedule; with `max_step_percent_annealed` from `anneal_start_step` on."""
    largest = setting.beside("system.guidance.max_step_percent")
    annealed = setting.beside("system.guidance.max_step_percent_annealed")
    begin = setting.beside("system.guidance.anneal_start_step")
    if annealed is None or begin is None or begin.entry.value is None:
        return {"steps": [0], "values": [0.98]} if largest is None else points(largest)
    return step_at(whole(begin), 0.98 if largest is None else number(largest), number(annealed))


WEIGHTS = {"sds": (0.0, 2.0), "dreamfusion": (0.0, 2.0), "uniform": (0.0, 0.0), "fantasia3d": (1.0, 2.0)}
"""Powers of alpha and sigma."""


def weight(setting: Setting) -> dict[str, float]:
    """sds: sigma^2, uniform: 1, fantasia3d: alpha sigma^2."""
    name = text(setting)
    if name not in WEIGHTS:
        raise setting.entry.wrong(f"one of {', '.join(WEIGHTS)}")
    alpha, sigma = WEIGHTS[name]
    base = setting.base.estimator.weight
    if isinstance(base, PowerOfAlphaSigma):
        return {"alpha_power": alpha, "sigma_power": sigma}
    own = {SigmaSquared: "sds", Uniform: "uniform"}.get(type(base))
    if own is None or WEIGHTS[own] != WEIGHTS[name]:
        shown = own or type(base).__name__
        raise setting.entry.wrong(f"{shown}, which this guidance has here, or leave it out")
    return {}


def score_clip(setting: Setting) -> Points | dict[str, float]:
    """A number or a schedule; null clips nothing."""
    line: Points = {"steps": [0], "values": [0.0]} if setting.entry.value is None else points(setting)
    if isinstance(setting.base.estimator.score_clip, BrokenLine):
        return line
    if len(line["values"]) > 1:
        raise setting.entry.wrong("one number, with this guidance")
    return {"value": line["values"][0]}


def interval(setting: Setting) -> int | Remarked:
    """A whole number of steps."""
    value = setting.entry.value
    if is_number(value) and not isinstance(value, int):
        return Remarked(setting.base.plan.preview_every, "a share of an epoch means nothing here")
    return whole(setting)


def blob(setting: Setting) -> dict[str, object] | Remarked:
    """blob_magic3d, blob_dreamfusion, or a number that is added everywhere."""
    value = setting.entry.value
    shapes = {"blob_magic3d": "cone", "blob_dreamfusion": "gaussian"}
    if is_number(value):
        return {"shape": "none", "offset": float(value)}
    if value not in shapes:
        raise setting.entry.wrong(f"a number or one of {', '.join(shapes)}")
    return {"shape": shapes[value]}


ACTIVATIONS = {"softplus": "softplus", "exp": "exponential", "trunc_exp": "exponential", "relu": "relu"}


def activation(setting: Setting) -> str:
    """softplus, exp, trunc_exp or relu."""
    if setting.entry.value not in ACTIVATIONS:
        raise setting.entry.wrong(f"one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[setting.entry.value]


NORMALS = {None: "none", "analytic": "analytic", "finite_difference": "finite_difference"}


def normals(setting: Setting) -> str | Remarked:
    """null, analytic or finite_difference; pred is analytic here."""
    value = setting.entry.value
    if value == "pred":
        return Remarked("analytic", "normals are the derivative of the field, not another network")
    if isinstance(value, list) or value not in NORMALS:
        raise setting.entry.wrong("null, analytic or finite_difference")
    return NORMALS[value]


def finest(setting: Setting) -> int:
    """The factor between levels; here the cells of the finest one."""
    prefix = setting.entry.key.removesuffix(".per_level_scale")
    values = {}
    for name, otherwise in (("base_resolution", 16), ("n_levels", 16)):
        beside = setting.beside(f"{prefix}.{name}")
        values[name] = otherwise if beside is None else whole(beside)
    factor, levels = number(setting), values["n_levels"] - 1
    if not (1 <= factor <= 64 and 0 <= levels <= 64):
        raise setting.entry.wrong("a factor from 1 to 64, for at most 64 levels")
    return round(min(values["base_resolution"] * factor**levels, 1e12))


def begin_of_levels(setting: Setting) -> Remarked:
    """The levels begin to grow at once."""
    steps = setting.beside("system.geometry.pos_encoding_config.update_steps")
    return Remarked(0 if steps is None else whole(steps), "levels begin to come one after another at once")


def cube(setting: Setting) -> int:
    """Three equal numbers."""
    sides = numbers(setting)
    if len(sides) != 3 or len(set(sides)) != 1:
        raise setting.entry.wrong("three equal numbers: the grid is a cube")
    return int(sides[0])


def ellipsoid(setting: Setting) -> list[float]:
    """The radius of a sphere, or the three of an ellipsoid."""
    if is_number(setting.entry.value):
        return [number(setting)] * 3
    radii = numbers(setting)
    if len(radii) != 3:
        raise setting.entry.wrong("a radius, or three")
    return radii


def reach(setting: Setting) -> float:
    """True or false."""
    return 0.5 if flag(setting) else 0.0


def lit(setting: Setting) -> float | Remarked:
    """diffuse-with-point-light-material: 0.75 of the views are lit; no-material: none."""
    share = {"no-material": 0.0, "diffuse-with-point-light-material": 0.75}
    name = text(setting)
    if name not in share:
        raise setting.entry.wrong(f"one of {', '.join(share)}")
    given = setting.beside("system.material.diffuse_prob")
    return share[name] if given is None or not share[name] else number(given)


def random_share(setting: Setting) -> float:
    """The share of views with a plain background, 0.5 unless given, none without `random_aug`."""
    on = setting.beside("system.background.random_aug")
    share = setting.beside("system.background.random_aug_prob")
    if on is None or not flag(on):
        return 0.0
    return 0.5 if share is None else number(share)


def backdrop(setting: Setting) -> dict[str, object] | Remarked:
    """neural-environment-map-background: a network of the direction; solid-color-background: plain colours."""
    learned = {"backdrop": "learned", "plain_share": random_share(setting)}
    name = setting.entry.value
    if name == "solid-color-background":
        return {"backdrop": "plain"}
    if name == "neural-environment-map-background":
        return learned
    if name == "textured-background":
        return Remarked(learned, "a network of the direction instead of texels")
    raise setting.entry.wrong("neural-environment-map-background, textured-background or solid-color-background")


def same_radius(setting: Setting) -> Remarked | None:
    """A number; the field's own radius."""
    geometry = setting.beside("system.geometry.radius")
    if geometry is not None and number(setting) == number(geometry):
        return None
    return Remarked(None, "rays are marched through the field's own cube")


def same_model(setting: Setting) -> Remarked | None:
    """The model of the guidance."""
    guide = setting.beside("system.guidance.pretrained_model_name_or_path")
    if guide is not None and text(setting) == text(guide):
        return None
    return Remarked(None, "the guidance's own model does it")


def shape(setting: Setting) -> Remarked | None:
    """Sphere or ellipsoid."""
    if setting.entry.value not in ("sphere", "ellipsoid", None):
        raise setting.entry.wrong("sphere or ellipsoid: a mesh begins with no other shape here")
    return None


def first_rate(setting: Setting) -> float | Remarked:
    """A number; of a schedule the first value."""
    line = points(setting)
    rate = line["values"][0]
    return rate if len(line["values"]) == 1 else Remarked(rate, f"{rate:g}, falling by scene.learning_rates.final")


def clip(setting: Setting) -> float:
    """A number; null clips nothing."""
    return 0.0 if setting.entry.value is None else number(setting)


def pruned(setting: Setting) -> int:
    """True or false; false keeps every cell."""
    return (setting.base.scene.occupancy.every or 16) if flag(setting) else 0  # type: ignore[attr-defined]


def emptiness(setting: Setting) -> Points:
    """A number or a schedule; here divided by the samples on a ray."""
    given = setting.beside("system.renderer.num_samples_per_ray")
    samples = setting.base.scene.volume.samples if given is None else whole(given)  # type: ignore[attr-defined]
    if samples < 1:
        raise SettingError("system.renderer.num_samples_per_ray is less than 1: choose at least 2")
    return scaled(points(setting), 1 / samples)


PLAIN = {White: [1.0, 1.0, 1.0], Black: [0.0, 0.0, 0.0]}


def background_color(setting: Setting) -> Remarked | None:
    """Three numbers; backgrounds are the recipe's."""
    color = numbers(setting)
    kind = type(setting.base.plan.background)
    if PLAIN.get(kind) == color:
        return None
    return Remarked(None, {White: "white", Black: "black"}.get(kind, "white or random colours, in every view another"))
