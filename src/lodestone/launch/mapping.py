"""Every key of threestudio that is known here, in groups, and what it becomes."""

from collections.abc import Mapping

from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.launch import readers, values
from lodestone.launch.rules import Nothing, Only, Rule, Sets, keyed
from lodestone.optimize.experiment import Experiment
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.hash_field import HashFieldSettings
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.voxel_grid import VoxelGridSettings

__all__ = ["GROUPS", "SCENES", "rules_for"]

ORIGIN = "every camera looks at the origin, upright"
ADAM = "Adam with betas 0.9 and 0.99, epsilon 1e-15 and no weight decay"
WEIGHTED = "write 1, and divide the other lambdas instead"
OTHER_METHOD = "that is another method: see `lodestone recipes`"

TOP: tuple[Rule, ...] = (
    *(Nothing(key) for key in ("name", "tag", "description", "use_timestamp", "timestamp", "n_gpus")),
    *(Nothing(key) for key in ("trial_name", "trial_dir", "exp_dir", "checkpoint.")),
    Sets.to("exp_root_dir", values.text),
    Sets.to("seed", values.whole, "seed"),
    Only("resume", (None,), "`lodestone resume RUN` continues a run", refuse=True),
)

DATA: tuple[Rule, ...] = (
    Only(
        "data_type",
        ("random-camera-datamodule", "random-camera-datamodule-gs"),
        "cameras are drawn around the object",
        refuse=True,
    ),
    Sets.to("data.batch_size", readers.views, "plan.views"),
    Sets.to("data.width", readers.resolution, "plan.resolution"),
    Sets.to("data.height", readers.resolution, "plan.resolution"),
    Sets.to("data.resolution_milestones", values.numbers),
    Sets.to("data.camera_distance_range", values.pair, "cameras.distance"),
    Sets.to("data.fovy_range", values.pair, "cameras.field_of_view"),
    Sets.to("data.elevation_range", values.pair, "cameras.elevation"),
    Sets.to("data.azimuth_range", values.pair, "cameras.azimuth"),
    Only("data.batch_uniform_azimuth", (True,), "azimuths are spread evenly over the batch"),
    *(Only(f"data.{name}_perturb", (0,), ORIGIN) for name in ("camera", "center", "up")),
    Only("data.light_sample_strategy", ("dreamfusion", "dreamfusion3dgs"), "lights are drawn as in DreamFusion"),
    Only("data.light_position_perturb", (1,), "lights are drawn as in DreamFusion"),
    Only("data.light_distance_range", ([0.8, 1.5],), "lights are drawn as in DreamFusion"),
    Only("data.progressive_until", (0,), "the ranges of the cameras are whole from the first step on"),
    Sets.to("data.eval_camera_distance", values.number, "evaluation.distance"),
    Sets.to("data.eval_fovy_deg", values.number, "evaluation.field_of_view"),
    Sets.to("data.eval_elevation_deg", values.number, "evaluation.elevation"),
    *(Nothing(f"data.{name}") for name in ("eval_width", "eval_height", "eval_batch_size")),
    *(Nothing(f"data.{name}") for name in ("n_val_views", "n_test_views", "rays_d_normalize")),
)

ENCODING = "system.geometry.pos_encoding_config"


def encoding(place: str) -> tuple[Rule, ...]:
    """Of a hash grid at a place of the experiment."""
    return (
        Only(f"{ENCODING}.otype", ("HashGrid", "ProgressiveBandHashGrid"), "a hash grid", refuse=True),
        Sets.to(f"{ENCODING}.n_levels", values.whole, f"{place}.levels"),
        Only(f"{ENCODING}.n_features_per_level", (2,), "two features for each level", refuse=True),
        Sets.to(f"{ENCODING}.log2_hashmap_size", values.whole, f"{place}.table_bits"),
        Sets.to(f"{ENCODING}.base_resolution", values.whole, f"{place}.base"),
        Sets.to(f"{ENCODING}.per_level_scale", readers.finest, f"{place}.finest"),
    )


def network(field: str) -> tuple[Rule, ...]:
    """Of the decoders, whose width is this field."""
    below = "system.geometry.mlp_network_config"
    return (
        Sets.to(f"{below}.n_neurons", values.whole, field),
        Only(f"{below}.n_hidden_layers", (1,), "one hidden layer"),
        Only(f"{below}.activation", ("ReLU",), "rectified linear units"),
        Only(f"{below}.output_activation", ("none", None), "no activation after the last layer"),
        Only(f"{below}.otype", ("VanillaMLP", "FullyFusedMLP", "CutlassMLP"), "a perceptron"),
    )


ISOSURFACE: tuple[Rule, ...] = (
    *(Nothing(f"system.geometry.isosurface{name}") for name in ("", "_method", "_resolution", "_threshold")),
    *(Nothing(f"system.geometry.isosurface_{name}") for name in ("chunk", "coarse_to_fine", "remove_outliers")),
    Nothing("system.geometry.isosurface_outlier_n_faces_threshold"),
)
"""Exported meshes choose these themselves."""

VOLUME: tuple[Rule, ...] = (
    Sets.to("system.geometry.radius", values.number, "scene.volume.bound"),
    Sets.to("system.geometry.normal_type", readers.normals, "scene.volume.normals"),
    Sets.to("system.geometry.finite_difference_normal_eps", values.number, "scene.volume.difference"),
    Sets.to("system.geometry.density_activation", readers.activation, "scene.volume.activation"),
    Sets.to("system.geometry.density_bias", readers.blob, "scene.bias"),
    Sets.to("system.geometry.density_blob_scale", values.number, "scene.bias.scale"),
    Sets.to("system.geometry.density_blob_std", values.number, "scene.bias.radius"),
    Only("system.geometry.n_input_dims", (3,), "points have three coordinates", refuse=True),
    Sets.to("system.geometry.n_feature_dims", values.whole, "scene.volume.channels"),
    *ISOSURFACE,
    Sets.to("system.material_type", readers.lit, "scene.volume.shading.lit_share"),
    Sets.to("system.material.ambient_only_steps", values.whole, "scene.volume.shading.begin"),
    Sets.to("system.material.textureless_prob", values.number, "scene.volume.shading.textureless_share"),
    Sets.to("system.material.diffuse_prob", values.number),
    Only("system.material.ambient_light_color", ([0.1] * 3,), "ambient light of 0.1"),
    Only("system.material.diffuse_light_color", ([0.9] * 3,), "diffuse light of 0.9"),
    Only("system.material.soft_shading", (False,), "lights are as bright in every step"),
    Only("system.material.albedo_activation", ("sigmoid",), "colours end with a sigmoid"),
    Only("system.material.n_output_dims", (3, 4), "3 colours or 4 latents"),
    Only("system.material.color_activation", ("sigmoid", "none"), "colours end with a sigmoid, latents with nothing"),
    Sets.to("system.background_type", readers.backdrop, "scene.volume"),
    Sets.to("system.background.random_aug", readers.random_share, "scene.volume.plain_share"),
    Sets.to("system.background.random_aug_prob", readers.random_share, "scene.volume.plain_share"),
    Sets.to("system.background.color", readers.background_color),
    *(Nothing(f"system.background.{name}") for name in ("n_output_dims", "color_activation", "eval_color")),
    *(Only(f"system.background.{name}", (), "4 x 4 texels are a network here") for name in ("height", "width")),
    Only("system.renderer_type", ("nerf-volume-renderer",), "rays are marched", refuse=True),
    Sets.to("system.renderer.radius", readers.same_radius),
    Sets.to("system.renderer.num_samples_per_ray", values.whole, "scene.volume.samples"),
    Sets.to("system.renderer.grid_prune", readers.pruned, "scene.occupancy.every"),
    Only("system.renderer.estimator", ("occgrid",), "an occupancy grid", refuse=True),
    Only("system.renderer.randomized", (True,), "samples are jittered"),
    *(Nothing(f"system.renderer.{name}") for name in ("eval_chunk_size", "train_chunk_size", "return_comp_normal")),
    *(Nothing(f"system.renderer.{name}") for name in ("return_normal_perturb", "prune_alpha_threshold")),
)

RATES = "scene.learning_rates"
PARTS = (f"{RATES}.grid", f"{RATES}.networks", f"{RATES}.environment")

FIELD: tuple[Rule, ...] = (
    Only("system.geometry_type", ("implicit-volume",), "a neural field", refuse=True),
    *encoding("scene.encoding"),
    Sets.to(f"{ENCODING}.start_level", values.whole, "scene.encoding.first_levels"),
    Sets.to(f"{ENCODING}.update_steps", values.whole, "scene.encoding.level_every"),
    Sets.to(f"{ENCODING}.start_step", readers.begin_of_levels),
    *network("scene.hidden"),
    Sets.to("system.optimizer.args.lr", values.number, *PARTS),
    Sets.to("system.optimizer.params.geometry.lr", values.number, *PARTS[:2]),
    Sets.to("system.optimizer.params.geometry.encoding.lr", values.number, PARTS[0]),
    Sets.to("system.optimizer.params.geometry.density_network.lr", values.number, PARTS[1]),
    Sets.to("system.optimizer.params.geometry.feature_network.lr", values.number, PARTS[1]),
    Sets.to("system.optimizer.params.background.lr", values.number, PARTS[2]),
)

VOXELS: tuple[Rule, ...] = (
    Only("system.geometry_type", ("volume-grid",), "a voxel grid", refuse=True),
    Sets.to("system.geometry.grid_size", readers.cube, "scene.resolution"),
    Sets.to("system.optimizer.args.lr", values.number, PARTS[0], PARTS[2]),
    Sets.to("system.optimizer.params.geometry.lr", values.number, PARTS[0]),
    Sets.to("system.optimizer.params.background.lr", values.number, PARTS[2]),
)

CELLS = "rates of a mesh are the recipe's: its distances are in cells"
LIGHT = "materials and light are the recipe's"

MESH: tuple[Rule, ...] = (
    Only("system.geometry_type", ("tetrahedra-sdf-grid",), "distances on a tetrahedral grid, not a network of them"),
    Sets.to("system.geometry.radius", values.number, "scene.bound"),
    *ISOSURFACE,
    Sets.to("system.geometry.isosurface_resolution", values.whole, "scene.cells"),
    Sets.to("system.geometry.isosurface_deformable_grid", readers.reach, "scene.reach"),
    Sets.to("system.geometry.fix_geometry", values.opposite, "scene.learn_geometry"),
    Sets.to("system.geometry.shape_init", readers.shape),
    Sets.to("system.geometry.shape_init_params", readers.ellipsoid, "scene.radii"),
    Sets.to("system.geometry.sdf_bias", readers.shape),
    Sets.to("system.geometry.sdf_bias_params", readers.ellipsoid, "scene.radii"),
    *(Nothing(f"system.geometry.{name}") for name in ("geometry_only", "force_shape_init", "n_feature_dims")),
    *encoding("scene.texture"),
    *network("scene.texture.hidden"),
    Sets.to("system.latent_steps", values.whole, "scene.latent_steps"),
    Only("system.material_type", ("no-material",), LIGHT),
    Only("system.material.", (), LIGHT),
    Only("system.background_type", ("solid-color-background",), "plain colours"),
    Only("system.background.", (), "plain colours"),
    Only("system.renderer_type", ("nvdiff-rasterizer",), "triangles are rasterized", refuse=True),
    Nothing("system.renderer.context_type"),
    *(Only(f"system.optimizer.{name}", (), CELLS) for name in ("args.lr", "params.geometry.", "params.background.")),
)

CLOUD = "Gaussians begin in a ball"

GAUSSIANS: tuple[Rule, ...] = (
    Only("system.geometry_type", ("gaussian-splatting",), "a cloud of Gaussians", refuse=True),
    Sets.to("system.geometry.position_lr", readers.first_rate, f"{RATES}.means"),
    Sets.to("system.geometry.scaling_lr", readers.first_rate, f"{RATES}.log_scales"),
    Sets.to("system.geometry.rotation_lr", readers.first_rate, f"{RATES}.quaternions"),
    Sets.to("system.geometry.opacity_lr", readers.first_rate, f"{RATES}.opacity_logits"),
    Sets.to("system.geometry.feature_lr", readers.first_rate, f"{RATES}.colors"),
    Sets.to("system.geometry.densification_interval", values.whole, "scene.density.every"),
    Sets.to("system.geometry.densify_from_iter", values.whole, "scene.density.start"),
    Sets.to("system.geometry.densify_until_iter", values.whole, "scene.density.stop"),
    Sets.to("system.geometry.min_opac_prune", values.number, "scene.density.prune_opacity"),
    Only("system.geometry.densify_grad_threshold", (), "a fixed share of the Gaussians grows"),
    Sets.to("system.geometry.init_num_pts", values.whole, "scene.initialization.count"),
    Sets.to("system.geometry.pc_init_radius", values.number, "scene.initialization.radius"),
    Sets.to("system.geometry.opacity_init", values.number, "scene.initialization.opacity"),
    *(Only(f"system.geometry.{name}", (), CLOUD) for name in ("geometry_convert_from", "load_ply_only_vertex")),
    Only("system.geometry.sh_degree", (0,), "one colour for each Gaussian"),
    Only("system.renderer_type", ("diff-gaussian-rasterizer",), "Gaussians are rasterized", refuse=True),
    Only("system.material_type", ("no-material",), "colours are not lit"),
    Nothing("system.material."),
    *(Nothing(key) for key in ("system.radius", "system.load_type", "system.load_path", "system.renderer.debug")),
    Only("system.background_type", ("solid-color-background", "gaussian-background"), "plain colours"),
    Sets.to("system.background.color", readers.background_color),
    Sets.to("system.renderer.back_ground_color", readers.background_color),
    Nothing("system.optimizer.args.lr"),
)

SCENES: Mapping[type, tuple[Rule, ...]] = {
    HashFieldSettings: (*VOLUME, *FIELD),
    VoxelGridSettings: (*VOLUME, *VOXELS),
    TetMeshSettings: MESH,
    GaussianSettings: GAUSSIANS,
}
"""By the scene of the recipe."""

PROMPT = "system.prompt_processor"

WORDS: tuple[Rule, ...] = (
    Only(
        "system.prompt_processor_type",
        ("stable-diffusion-prompt-processor",),
        "the prior's own text encoder",
    ),
    Sets.to(f"{PROMPT}.prompt", readers.prompt, "prompt.text"),
    Sets.to(f"{PROMPT}.negative_prompt", values.text, "prompt.negative"),
    Sets.to(f"{PROMPT}.front_threshold", values.number, "prompt.wording.front"),
    Sets.to(f"{PROMPT}.back_threshold", values.number, "prompt.wording.back"),
    Sets.to(f"{PROMPT}.overhead_threshold", values.number, "prompt.wording.overhead"),
    Sets.to(f"{PROMPT}.use_perp_neg", values.flag, "prompt.perp_neg"),
    Only(f"{PROMPT}.view_dependent_prompt_front", (False,), "the view is said after the prompt"),
    Only(f"{PROMPT}.use_prompt_debiasing", (False,), "no words are left out of the prompt", refuse=True),
    *(Only(f"{PROMPT}.prompt_{view}", (None,), OTHER_METHOD, refuse=True) for view in ("front", "side")),
    *(Only(f"{PROMPT}.prompt_{view}", (None,), OTHER_METHOD, refuse=True) for view in ("back", "overhead")),
    Sets.to(f"{PROMPT}.pretrained_model_name_or_path", readers.same_model),
    *(Nothing(f"{PROMPT}.{name}") for name in ("use_cache", "spawn", "pretrained_model_name_or_path_prompt_debiasing")),
)

GUIDE = "system.guidance"

GUIDED: tuple[Rule, ...] = (
    Sets.to(f"{GUIDE}.pretrained_model_name_or_path", values.text),
    Sets.to(f"{GUIDE}.guidance_scale", readers.guidance_scale, "estimator.guidance_scale"),
    Sets.to(f"{GUIDE}.min_step_percent", values.points, "plan.smallest_time"),
    Sets.to(f"{GUIDE}.max_step_percent", readers.largest_time, "plan.largest_time"),
    Sets.to(f"{GUIDE}.max_step_percent_annealed", readers.largest_time, "plan.largest_time"),
    Sets.to(f"{GUIDE}.anneal_start_step", readers.largest_time, "plan.largest_time"),
    Sets.to(f"{GUIDE}.weighting_strategy", readers.weight, "estimator.weight"),
    Sets.to(f"{GUIDE}.grad_clip", readers.score_clip, "estimator.score_clip"),
    Sets.to(f"{GUIDE}.view_dependent_prompting", values.flag, "prompt.view_dependent"),
    Only(f"{GUIDE}.guidance_type", ("sds",), "choose stable-diffusion-vsd-guidance for VSD", refuse=True),
    *(Only(f"{GUIDE}.{name}", (False,), OTHER_METHOD, refuse=True) for name in ("use_sjc", "use_img_loss")),
    *(Only(f"{GUIDE}.{name}", (False,), OTHER_METHOD, refuse=True) for name in ("sqrt_anneal", "use_controlnet")),
    *(Nothing(f"{GUIDE}.{name}") for name in ("half_precision_weights", "trainer_max_steps", "cache_dir")),
    *(Nothing(f"{GUIDE}.enable_{name}") for name in ("memory_efficient_attention", "sequential_cpu_offload")),
    *(Nothing(f"{GUIDE}.enable_{name}") for name in ("attention_slicing", "channels_last_format")),
    *(Nothing(f"{GUIDE}.{name}") for name in ("token_merging", "token_merging_params.", "local_files_only")),
)

SJC: tuple[Rule, ...] = (
    Only(f"{GUIDE}.use_sjc", (True,), "score Jacobian chaining", refuse=True),
    Sets.to(f"{GUIDE}.var_red", values.flag, "estimator.variance_reduction"),
)

ADAPTIVE: tuple[Rule, ...] = (
    Sets.to("system.optimizer.params.guidance.lr", values.number, "estimator.learning_rate"),
    Sets.to(f"{GUIDE}.pretrained_model_name_or_path_lora", readers.same_model),
    Only(f"{GUIDE}.guidance_scale_lora", (1,), "what is learned is not guided"),
    Only(f"{GUIDE}.camera_condition_type", ("extrinsics",), "what is learned sees the camera's place and axes"),
    Only(f"{GUIDE}.lora_cfg_training", (False,), "what is learned always sees the camera"),
)

PENALTIES = {
    "lambda_orient": "orientation",
    "lambda_sparsity": "sparsity",
    "lambda_opaque": "opaqueness",
    "lambda_z_variance": "z_variance",
    "lambda_distortion": "distortion",
    "lambda_normal_smoothness_2d": "normal_smoothness",
    "lambda_3d_normal_smooth": "normal_smoothness_3d",
    "lambda_laplacian_smoothness": "laplacian",
    "lambda_normal_consistency": "normal_consistency",
}

LOSS: tuple[Rule, ...] = (
    *(Sets.to(f"system.loss.{name}", values.points, f"plan.regularizers.{field}") for name, field in PENALTIES.items()),
    Sets.to("system.loss.lambda_emptiness", readers.emptiness, "plan.regularizers.emptiness"),
    Only("system.loss.emptiness_scale", (10,), "a scale of 10"),
    *(Only(f"system.loss.lambda_{name}", (1,), WEIGHTED, refuse=True) for name in ("sds", "vsd", "lora", "embedding")),
    *(Only(f"system.loss.lambda_{name}", (0,), OTHER_METHOD, refuse=True) for name in ("sds_img", "depth", "eikonal")),
    Nothing("system.loss.center_ratio"),
)

OPTIMIZER: tuple[Rule, ...] = (
    Only("system.optimizer.name", ("Adam",), ADAM),
    Only("system.optimizer.args.betas", ([0.9, 0.99],), ADAM),
    Only("system.optimizer.args.eps", (1e-15,), ADAM),
    Only("system.optimizer.args.weight_decay", (0,), ADAM),
    Only("system.scheduler.", (), "rates fall by the recipe's share, without warm-up"),
)

TRAINER: tuple[Rule, ...] = (
    Sets.to("trainer.max_steps", values.whole, "plan.steps"),
    Sets.to("trainer.val_check_interval", readers.interval, "plan.preview_every"),
    Sets.to("trainer.gradient_clip_val", readers.clip, "plan.gradient_clip"),
    Only("trainer.accumulate_grad_batches", (1,), "every step is a batch of its own", refuse=True),
    Nothing("trainer."),
)

SYSTEM: tuple[Rule, ...] = (
    *(Nothing(key) for key in ("system.loggers.", "system.exporter_type", "system.exporter.")),
    *(Nothing(f"system.cleanup_after_{name}_step") for name in ("validation", "test")),
    Only("system.stage", ("coarse",), "this system has one stage", refuse=True),
    Only("system.weights", (None,), "`lodestone resume RUN` continues a run", refuse=True),
    Only("system.geometry_convert_inherit_texture", (True,), "a mesh takes over the colours it begins with"),
    Only("system.geometry_convert_override.", (), "a stage begins with the surface of the one before"),
)

GROUPS: Mapping[str, tuple[Rule, ...]] = {
    "Top": TOP,
    "Data": DATA,
    "System": SYSTEM,
    "Prompt": WORDS,
    "Guidance": GUIDED,
    "Guidance of sjc-system": SJC,
    "Guidance that learns (VSD, LODS)": ADAPTIVE,
    "Loss": LOSS,
    "Optimizer": OPTIMIZER,
    "Trainer": TRAINER,
    "Scene: neural field or voxel grid": VOLUME,
    "Scene: neural field": FIELD,
    "Scene: voxel grid": VOXELS,
    "Scene: tetrahedral mesh": MESH,
    "Scene: Gaussians": GAUSSIANS,
}
"""Every rule, for the page that lists them."""


def rules_for(base: Experiment, system: str) -> Mapping[str, Rule]:
    """The rules that hold for a recipe; fields that two rules set are the later one's."""
    scene = SCENES.get(type(base.scene), ())
    guidance = (*GUIDED, *(SJC if system == "sjc-system" else ()))
    learned = ADAPTIVE if isinstance(base.estimator, AbstractAdaptiveEstimator) else ()
    return keyed((*TOP, *DATA, *SYSTEM, *WORDS, *guidance, *LOSS, *OPTIMIZER, *TRAINER, *scene, *learned))
