"""What the keys of a configuration become: recipes, fields, conventions; and what is said of the others."""

import random
from dataclasses import fields, replace

import pytest
from launch_checks import build_once, differences, threestudio_value

from lodestone.distillation.weighting import PowerOfAlphaSigma, SigmaSquared, Uniform
from lodestone.errors import SettingError
from lodestone.launch.document import find_config, packaged, read_document
from lodestone.launch.general import broken_line, general
from lodestone.launch.systems import SYSTEMS
from lodestone.launch.understanding import understand
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.optimize.regularizers import Regularizers
from lodestone.recipes.choose import Choice
from lodestone.schedules import BrokenLine, Constant, Linear, Piecewise
from lodestone.stored_runs import find_origin

HAMBURGER = "system.prompt_processor.prompt=a hamburger"

CONVENTION = {"estimator.guidance_scale"}
"""100 after `eps_y + s' (eps_y - eps_null)` is 101 here; the recipes have the papers' number, 100."""

KNOWN_DIFFERENCES = {
    "dreamfusion-sd.yaml": {"plan.resolution"},
    "magic3d-coarse-sd.yaml": {"plan.resolution"},
    "magic3d-refine-sd.yaml": set(),
    "sjc.yaml": CONVENTION,
    "latentnerf.yaml": CONVENTION,
    "fantasia3d.yaml": CONVENTION,
    "prolificdreamer.yaml": set(),
    "lods-gs-embedding.yaml": set(),
    "lods-ngp-embedding.yaml": set(),
    "lods-ngp-lora.yaml": set(),
}
"""Where a packaged configuration does not say what its recipe does: renderings of 64 pixels."""


@pytest.mark.parametrize("name", packaged())
@pytest.mark.usefixtures("unchecked")
def test_a_packaged_configuration_is_its_recipe(name):
    launched = understand(read_document(find_config(name), [HAMBURGER]))
    recipe = build_once(launched.choice, "a hamburger")
    assert not launched.ignored and launched.experiment.prompt.text == "a hamburger"
    assert set(differences(launched.experiment, recipe)) == KNOWN_DIFFERENCES[name]
    if "sd14" not in launched.experiment.prior:
        assert launched.experiment.prior == "sd21-base"


@pytest.mark.usefixtures("unchecked")
def test_the_gaussians_of_lods_are_the_recipe_itself():
    launched = understand(read_document(find_config("lods-gs-embedding.yaml"), [HAMBURGER]))
    recipe = build_once(Choice(recipe="lods-gs-embedding", prior="sd21-base"), "a hamburger")
    assert launched.recipe == "lods-gs-embedding"
    assert not set(differences(launched.experiment, general(recipe)))
    assert launched.experiment.estimator.guidance_scale == 1000
    assert launched.experiment.prompt.negative == "a point cloud image"
    assert [launched.experiment.plan.largest_time(step) for step in (0, 499, 500, 2499)] == [0.98, 0.98, 0.55, 0.55]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: f"{system.name}-{system.stage or system.guidance}")
@pytest.mark.parametrize("prior", ["sd21-base", "embedded"])
@pytest.mark.usefixtures("unchecked")
def test_what_every_system_begins_with_can_be_stored(system, prior):
    choice = Choice(recipe=f"lodestone.launch.origins:{system.origin}", prior=prior)
    experiment = build_once(choice, "a hamburger")
    assert find_origin(experiment, choice) == choice
    assert from_plain(build_once(choice, "other"), to_plain(experiment)) == experiment
    whole = build_once(Choice(recipe=system.recipe, prior=prior), "a hamburger")
    assert general(whole).stages[len(experiment.stages) - 1] == experiment


@pytest.mark.parametrize(
    ("guidance", "written", "meant"),
    [
        ("stable-diffusion-guidance", 100, 101),
        ("stable-diffusion-sdi-guidance", 7.5, 8.5),
        ("stable-diffusion-unified-guidance", 100, 100),
        ("stable-diffusion-vsd-guidance", 7.5, 7.5),
        ("stable-diffusion-asd-guidance", 7.5, 7.5),
        ("lods-embedding-guidance", 1000, 1000),
        ("lods-lora-guidance", 1000, 1000),
    ],
)
def test_guidance_scales_are_those_of_one_convention(launched, guidance, written, meant):
    """eps_y + s' (eps_y - eps_null) = eps_null + s (eps_y - eps_null) with s = s' + 1."""
    done = launched(f"    guidance_scale: {written}\n  guidance_type: {guidance}\n")
    assert done.experiment.estimator.guidance_scale == meant


def test_perp_neg_changes_the_convention_of_sds_in_threestudio(launched):
    """There the branch with Perp-Neg writes `eps_null + s (...)`."""
    scale, opposed = "    guidance_scale: 100\n", "system.prompt_processor.use_perp_neg="
    assert launched(scale, f"{opposed}true").experiment.estimator.guidance_scale == 100
    assert launched(scale, f"{opposed}true").experiment.prompt.perp_neg
    assert launched(scale, f"{opposed}false").experiment.estimator.guidance_scale == 101


@pytest.mark.parametrize("seed", range(20))
def test_scheduled_numbers_are_threestudio_s(launched, seed):
    rng = random.Random(seed)
    corners = sorted(rng.sample(range(10_000), rng.choice([2, 2, 3, 5])))
    values = [rng.uniform(0, 1000) for _ in corners]
    row = [corners[0], values[0], values[1], corners[1]]
    for step, value in zip(corners[2:], values[2:], strict=True):
        row += [value, step]
    schedule = launched("", f"system.loss.lambda_orient={row}").experiment.plan.regularizers.orientation
    for step in [*corners, *(rng.randrange(12_000) for _ in range(50))]:
        assert schedule(step) == pytest.approx(threestudio_value(row, step), rel=1e-9)


def test_three_numbers_begin_with_step_0(launched):
    short = launched("", "system.loss.lambda_orient=[10., 1000., 5000]").experiment.plan.regularizers.orientation
    assert [short(step) for step in (0, 2500, 5000, 9000)] == [10, 505, 1000, 1000]


@pytest.mark.parametrize(
    "row", ["[0, 1., 2.]x", "[5, 1., 2., 5]", "[0, 1., 2., 1.5]", "[1, 2]", "[0, 1, 2, 3, 4]", "[[1]]"]
)
def test_what_is_no_schedule_is_refused(launched, row):
    with pytest.raises(
        SettingError, match=r"system.loss.lambda_orient \(the command line\) is .*: give a number or \["
    ):
        launched("", f"system.loss.lambda_orient={row}")


@pytest.mark.parametrize(
    "schedule", [Constant(2.0), Linear(1.0, 3.0, 10, 5), Linear(1.0, 3.0, 0, 5), Linear(1.0, 3.0, 0)]
)
@pytest.mark.parametrize("form", [lambda s: s, lambda s: Piecewise((0, 1, 7), (s(0), s(9), s(20)))])
def test_the_general_form_is_the_same_schedule(schedule, form):
    schedule = form(schedule)
    line = broken_line(schedule)
    assert isinstance(line, BrokenLine) and [line(step) for step in range(40)] == [schedule(step) for step in range(40)]


def test_the_general_form_is_the_same_weight():
    assert general(SigmaSquared()) == PowerOfAlphaSigma(alpha_power=0.0, sigma_power=2.0)
    assert general(Uniform()) == PowerOfAlphaSigma(alpha_power=0.0, sigma_power=0.0)
    assert general(PowerOfAlphaSigma(alpha_power=1.0, sigma_power=2.0)).alpha_power == 1.0


@pytest.mark.parametrize("corners", [((), ()), ((1, 1), (0.0, 0.0)), ((2, 1), (0.0, 0.0)), ((0,), (0.0, 1.0))])
def test_a_broken_line_has_rising_steps(corners):
    with pytest.raises(SettingError, match="give as many steps as values, rising"):
        BrokenLine(*corners)


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [
        ("data.batch_size=4", "plan.views", 4),
        ("data.batch_size=[1,1]", "plan.views", 1),
        ("data.camera_distance_range=[3,3]", "cameras.distance", (3.0, 3.0)),
        ("data.fovy_range=[25,45]", "cameras.field_of_view", (25.0, 45.0)),
        ("data.elevation_range=[-10,90]", "cameras.elevation", (-10.0, 90.0)),
        ("data.azimuth_range=[0,180]", "cameras.azimuth", (0.0, 180.0)),
        ("data.eval_elevation_deg=20", "evaluation.elevation", 20.0),
        ("system.geometry.radius=2", "scene.volume.bound", 2.0),
        ("system.geometry.density_activation=trunc_exp", "scene.volume.activation", "exponential"),
        ("system.geometry.density_bias=blob_magic3d", "scene.bias.shape", "cone"),
        ("system.geometry.density_bias=-1", "scene.bias.offset", -1.0),
        ("system.geometry.normal_type=pred", "scene.volume.normals", "analytic"),
        ("system.geometry.pos_encoding_config.per_level_scale=1.4472692374403782", "scene.encoding.finest", 4096),
        ("system.geometry.pos_encoding_config.log2_hashmap_size=14", "scene.encoding.table_bits", 14),
        ("system.renderer.grid_prune=false", "scene.occupancy.every", 0),
        ("system.background_type=solid-color-background", "scene.volume.backdrop", "plain"),
        ("system.background.random_aug=true", "scene.volume.plain_share", 0.5),
        ("system.material_type=no-material", "scene.volume.shading.lit_share", 0.0),
        ("system.prompt_processor.front_threshold=30", "prompt.wording.front", 30.0),
        ("system.prompt_processor.negative_prompt=null", "prompt.negative", ""),
        ("system.prompt_processor.negative_prompt=ugly: bad", "prompt.negative", "ugly: bad"),
        ("system.guidance.view_dependent_prompting=false", "prompt.view_dependent", False),
        ("system.guidance.weighting_strategy=uniform", "estimator.weight.sigma_power", 0.0),
        ("system.guidance.weighting_strategy=fantasia3d", "estimator.weight.alpha_power", 1.0),
        ("system.optimizer.args.lr=0.01", "scene.learning_rates.networks", 0.01),
        ("system.optimizer.params.geometry.encoding.lr=0.1", "scene.learning_rates.grid", 0.1),
        ("trainer.max_steps=77", "plan.steps", 77),
        ("trainer.gradient_clip_val=1.5", "plan.gradient_clip", 1.5),
        ("seed=3", "seed", 3),
    ],
)
def test_a_key_is_a_field(launched, more, name, value):
    found = launched("", more).experiment
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value


def test_the_rate_of_a_part_is_stronger_than_the_rate_of_all(launched):
    more = "  optimizer: {params: {geometry.encoding: {lr: 0.5}, background: {lr: 0.25}}, args: {lr: 0.125}}\n"
    rates = launched(more).experiment.scene.learning_rates
    assert (rates.grid, rates.networks, rates.environment) == (0.5, 0.125, 0.25)


@pytest.mark.parametrize(
    ("overrides", "sides"),
    [
        (["data.height=256"], {0: 0.5}),
        (["data.width=64", "data.height=64"], {0: 0.125}),
        (
            ["data.width=[64,512]", "data.height=${data.width}", "data.resolution_milestones=[5000]"],
            {4999: 0.125, 5000: 1},
        ),
        (["data.height=[64,256,512]", "data.resolution_milestones=[1,9]"], {0: 0.125, 1: 0.5, 8: 0.5, 9: 1}),
        (["data.height=512", f"{'system.guidance.pretrained_model_name_or_path'}=sd21"], {0: 2 / 3}),
    ],
)
def test_pixels_are_shares_of_the_prior_s_pictures(launched, overrides, sides):
    resolution = launched("", *overrides).experiment.plan.resolution
    assert {step: pytest.approx(resolution(step)) for step in sides} == sides


def test_the_times_may_be_annealed_in_three_keys(launched):
    guidance = "system.guidance"
    three = (f"{guidance}.max_step_percent=0.9", f"{guidance}.max_step_percent_annealed=0.4")
    times = launched("", *three, f"{guidance}.anneal_start_step=100").experiment.plan.largest_time
    assert [times(step) for step in (0, 99, 100, 5000)] == [0.9, 0.9, 0.4, 0.4]
    assert launched("", *three, f"{guidance}.anneal_start_step=null").experiment.plan.largest_time(9_000) == 0.9


def test_emptiness_is_a_mean_there_and_a_sum_here(launched):
    more = ("system_type=sjc-system", "system.loss.lambda_emptiness=[5000, 1.e+4, 2.e+5, 5001]")
    emptiness = launched("", *more).experiment.plan.regularizers.emptiness
    assert (emptiness(5000), emptiness(5001)) == (1e4 / 512, 2e5 / 512)


def test_every_regularizer_has_a_key(launched):
    from lodestone.launch.mapping import PENALTIES

    missing = {field.name for field in fields(Regularizers)} - set(PENALTIES.values())
    assert missing == {"emptiness", "smoothness"}, (
        "emptiness has a reader of its own, and smoothness is not threestudio's"
    )


@pytest.mark.parametrize(
    ("more", "recipe", "stages", "estimator"),
    [
        ({}, "dreamfusion", 1, ""),
        ({"system.guidance_type": "stable-diffusion-vsd-guidance"}, "dreamfusion with the estimator vsd", 1, "vsd"),
        ({"system.guidance_type": "stable-diffusion-unified-guidance"}, "dreamfusion", 1, ""),
        ({"system_type": "magic3d-system"}, "magic3d, coarse stage", 1, ""),
        ({"system_type": "magic3d-system", "system.refinement": "true"}, "magic3d, refine stage", 2, ""),
        ({"system_type": "sjc-system"}, "sjc", 1, ""),
        ({"system_type": "latentnerf-system"}, "latent-nerf, coarse stage", 1, ""),
        ({"system_type": "latentnerf-system", "system.refinement": "true"}, "latent-nerf, refine stage", 2, ""),
        ({"system_type": "fantasia3d-system"}, "fantasia3d, geometry stage", 1, ""),
        ({"system_type": "fantasia3d-system", "system.texture": "true"}, "fantasia3d, texture stage", 2, ""),
        ({"system_type": "prolificdreamer-system"}, "prolificdreamer, coarse stage", 1, ""),
        (
            {"system_type": "prolificdreamer-system", "system.stage": "geometry"},
            "prolificdreamer, geometry stage",
            2,
            "",
        ),
        ({"system_type": "prolificdreamer-system", "system.stage": "texture"}, "prolificdreamer, texture stage", 3, ""),
        ({"system_type": "lods-gs-system"}, "lods-gs-embedding", 1, ""),
        ({"system_type": "lods-ngp-system"}, "lods-ngp-embedding", 1, ""),
        ({"system_type": "lods-ngp-system", "system.guidance_type": "lods-lora-guidance"}, "lods-ngp-lora", 1, ""),
        ({"system_type": "gaussian-splatting-system"}, "sds-gs", 1, ""),
        (
            {"system_type": "lods-gs-system", "system.guidance_type": "stable-diffusion-guidance"},
            "lods-gs-embedding with the estimator sds",
            1,
            "sds",
        ),
    ],
)
def test_a_system_and_its_guidance_are_a_recipe(launched, more, recipe, stages, estimator):
    done = launched("", *(f"{key}={value}" for key, value in more.items()), HAMBURGER)
    assert (done.recipe, len(done.experiment.stages), done.choice.estimator) == (recipe, stages, estimator)
    assert find_origin(done.experiment, done.choice) == done.choice


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["system_type=textmesh-system"],
            "system_type (the command line) is 'textmesh-system', which is not known here",
        ),
        (["system_type=textmesh-system"], "choose among dreamfusion-system, magic3d-system, sjc-system"),
        (["system_type=prolificdreamer-system", "system.stage=wild"], "choose among coarse, geometry, texture"),
        (["system.guidance_type=deep-floyd-guidance"], "choose among stable-diffusion-guidance, "),
        (
            ["system_type=magic3d-system", "system.refinement=2"],
            "system.refinement (the command line) is 2: give true or",
        ),
        (["system.guidance.pretrained_model_name_or_path=DeepFloyd/IF-I-XL-v1.0"], "give a model of Stable Diffusion"),
        (["system.prompt_processor.prompt=???"], "there is no prompt: write system.prompt_processor.prompt="),
        (["system.prompt_processor.prompt="], "the prompt is empty"),
        (["system.prompt_processor.prompt=lib:cowboy_boots"], "give the words themselves"),
        (
            ["system.prompt_processor.prompt=[a, b]"],
            "system.prompt_processor.prompt (the command line) is ['a', 'b']: give",
        ),
        (["system.guidance.guidance_scale=???"], "is ???: write system.guidance.guidance_scale=... after the options"),
        (
            ["system.guidance.guidance_scale=high"],
            "system.guidance.guidance_scale (the command line) is 'high': give a num",
        ),
        (["system.guidance.guidance_scale=.nan"], "is nan: give a number"),
        (["system.guidance.guidance_scale=true"], "is True: give a number"),
        (["system.guidance.weighting_strategy=none"], "give one of sds, dreamfusion, uniform, fantasia3d"),
        (["data.batch_size=1.5"], "data.batch_size (the command line) is 1.5: give a whole number"),
        (
            ["data.batch_size=0"],
            "data.batch_size (the command line) is 0: plan.views is 0: choose a number from 1 to 256",
        ),
        (["data.fovy_range=[40]"], "give two numbers, [low, high]"),
        (["data.fovy_range=[70,40]"], "data.fovy_range (the command line) is [70, 40]: cameras.field_of_view"),
        (["data.height=[64,512]"], "give one value, or one more than data.resolution_milestones, which are []"),
        (["system.geometry.grid_size=[1,2,3]", "system_type=sjc-system"], "give three equal numbers"),
        (["system.geometry.pos_encoding_config.per_level_scale=1e9"], "give a factor from 1 to 64"),
        (["system.geometry.density_bias=sphere"], "give a number or one of blob_magic3d, blob_dreamfusion"),
        (["system.material_type=pbr-material"], "give one of no-material, diffuse-with-point-light-material"),
        (["system.guidance.min_step_percent=0.6", "system.guidance.max_step_percent=0.5"], "plan.smallest_time"),
        (["trainer.max_steps=many"], "trainer.max_steps (the command line) is 'many': give a whole number"),
        (["seed=-1"], "seed (the command line) is -1: seed is -1"),
    ],
)
def test_what_is_wrong_names_its_key(launched, overrides, sentence):
    with pytest.raises(SettingError) as caught:
        launched("", *overrides)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_wrong_in_the_file_names_its_line(launched):
    with pytest.raises(SettingError, match=r"guidance_scale \(line 6 of one.yaml\) is \[1, 2\]: give a number"):
        launched("    guidance_scale: [1, 2]\n")
    with pytest.raises(SettingError, match=r"data.batch_size \(line 7 of one.yaml\) is 999: plan.views is 999"):
        launched("data:\n  batch_size: 999\n")
    with pytest.raises(SettingError, match=r"one\.yaml has no system_type: choose among"):
        launched(start="system: {}\n")


def test_unknown_keys_are_refused_all_at_once_or_listed(launched):
    more = "    guidence_scale: 3\n  loss: {lambda_magic: 1, lambda_sds: 0.5}\ntrainer: {devices: 2}\n"
    with pytest.raises(SettingError) as caught:
        launched(more, "data.batchsize=2")
    said = str(caught.value)
    assert "system.guidance.guidence_scale (line 6), system.loss.lambda_magic (line 7)" in said
    assert "data.batchsize (the command line)" in said and "system.loss.lambda_sds (line 7): write 1" in said
    assert said.endswith("correct them, or go on without them by --ignore-unknown")
    done = launched(more, "data.batchsize=2", ignore_unknown=True)
    assert len(done.ignored) == 4 and any(line.startswith("left out: ") for line in done.lines())
    assert done.without_effect == ("trainer.devices",)


@pytest.mark.parametrize(
    "word",
    [
        "resume=outputs/x/ckpts/last.ckpt",
        "system.weights=last.ckpt",
        "system.stage=texture",
        "system.refinement=true",
        "system.geometry_convert_from=last.ckpt",
        "system.geometry_type=custom-mesh",
        "system.renderer_type=neus-volume-renderer",
        "system.guidance.use_sjc=true",
        "system.prompt_processor.prompt_front=a face",
        "data_type=single-image-datamodule",
    ],
)
def test_what_would_be_another_method_is_refused(launched, word):
    with pytest.raises(SettingError, match="has keys that are not known here"):
        launched("", word)


def test_what_is_understood_differently_is_said(launched):
    done = launched(
        "data: {camera_perturb: 0.1, center_perturb: 0.2, width: 64, height: 32, batch_size: [8, 4]}\n",
        "system.optimizer.name=AdamW",
        "system.material.soft_shading=true",
    )
    said = "\n".join(done.lines())
    assert "data.camera_perturb (line 6), data.center_perturb (line 6): every camera looks at the origin" in said
    assert "data.width (line 6), data.height (line 6): pictures are square, as high as data.height" in said
    assert "data.batch_size (line 6): 4 views in every step" in said
    assert "system.optimizer.name (the command line): Adam with betas" in said
    assert "one.yaml is the recipe dreamfusion with the prior sd21-base" in said


def test_logging_has_no_effect_and_is_listed(launched):
    more = "  loggers: {wandb: {enable: false}}\ntag: '${rmspace:${nothing},_}'\ncheckpoint: {save_last: true}\n"
    done = launched(more)
    assert done.without_effect == ("system.loggers.wandb.enable", "tag", "checkpoint.save_last")
    assert done.lines()[-1] == "no effect here: system.loggers.wandb.enable, tag, checkpoint.save_last"


@pytest.mark.parametrize(
    ("written", "prior"),
    [
        ("stabilityai/stable-diffusion-2-1-base", "sd21-base"),
        ("runwayml/stable-diffusion-v1-5", "sd15"),
        ("CompVis/stable-diffusion-v1-4", "sd14"),
        ("somebody/else", "somebody/else"),
        ("sd21-base", "sd21-base"),
    ],
)
def test_names_of_models_are_aliases_where_there_are_some(launched, written, prior):
    done = launched("", f"system.guidance.pretrained_model_name_or_path={written}")
    assert {stage.prior for stage in done.experiment.stages} == {prior}


def test_without_a_model_it_is_threestudio_s(launched):
    done = launched(start="system_type: dreamfusion-system\nsystem: {prompt_processor: {prompt: a hamburger}}\n")
    assert done.experiment.prior == "sd15" and "(missing): sd15, as in threestudio" in "\n".join(done.lines())


def test_a_small_prior_has_its_draft(launched):
    """Of the file the prompt and the seed hold, and all that the command line says."""
    more = "    guidance_scale: 77\n    max_step_percent: 0.6\ntrainer: {max_steps: 9999}\nseed: 5\n"
    done = launched(more, "trainer.max_steps=4", prior="embedded")
    draft = general(build_once(Choice(recipe="dreamfusion", prior="embedded"), "a hamburger"))
    assert done.experiment == replace(draft, seed=5, plan=replace(draft.plan, steps=4))
    assert sum("draft for this prior holds, guidance, steps and all" in line for line in done.lines()) == 1
    chosen = launched(more, "system.guidance.guidance_scale=4", prior="embedded").experiment
    assert chosen.estimator.guidance_scale == 5
    with pytest.raises(SettingError, match="guidance_scale"):
        launched("    guidance_scale: x\n", prior="embedded")


def test_seed_and_device_hold_in_every_stage(launched):
    done = launched("", "system_type=magic3d-system", "system.refinement=true", "seed=7", device="cuda:1")
    assert [(stage.seed, stage.device) for stage in done.experiment.stages] == [(7, "cuda:1")] * 2


def test_later_stages_begin_with_the_ones_before(launched):
    refine = ("system_type=magic3d-system", "system.refinement=true")
    done = launched("  geometry_convert_from: ???\n", *refine)
    assert done.previous is None and "the stages before run first, in the same run" in "\n".join(done.lines())
    with pytest.raises(SettingError, match="give a run folder of lodestone, or leave it out"):
        launched("", *refine, "system.geometry_convert_from=trial/ckpts/last.ckpt")


def test_mesh_keys_are_fields_of_a_mesh(launched):
    mesh = ("system_type=fantasia3d-system", "system.geometry_type=implicit-sdf", "system.latent_steps=5")
    more = ("system.geometry.shape_init=ellipsoid", "system.geometry.shape_init_params=[0.3,0.4,0.5]")
    done = launched("", *mesh, *more, "system.geometry.fix_geometry=true", "system.geometry.isosurface_resolution=64")
    scene = done.experiment.scene
    assert (scene.radii, scene.cells, scene.latent_steps, scene.learn_geometry) == ((0.3, 0.4, 0.5), 64, 5, False)
    assert "distances on a tetrahedral grid, not a network of them" in "\n".join(done.lines())
    with pytest.raises(SettingError, match="give sphere or ellipsoid: a mesh begins with no other shape here"):
        launched("", *mesh, "system.geometry.shape_init=mesh:human.obj")


def test_gaussian_keys_are_fields_of_gaussians(launched):
    more = ("system.geometry.position_lr=[0, 1e-3, 1e-5, 300]", "system.geometry.init_num_pts=500")
    done = launched("", "system_type=gaussian-splatting-system", *more, "system.background.color=[1,1,1]")
    assert done.experiment.scene.learning_rates.means == 1e-3
    assert done.experiment.scene.initialization.count == 500
    assert "position_lr (the command line): 0.001, falling by" in "\n".join(done.lines())
