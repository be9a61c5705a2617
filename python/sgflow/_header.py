"""What ctypes must know of include/sgflow.h. Made by header.py: not to be edited by hand."""
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_int, c_int64, c_size_t,
                    c_uint64, c_void_p)

SGF_VERSION_MAJOR = 1
SGF_VERSION_MINOR = 0
SGF_VERSION_PATCH = 0
SGF_MESSAGE_LENGTH = 512
SGF_MOST_ROTATIONS = 4000
SGF_MOST_ROTATION_WORK = 1e11
SGF_MOST_SYMMETRIES = 1000
SGF_DIFFUSING = 1e-10
SGF_NOT_SHORT = 0.2
SGF_MOST_PATHS = 16
SGF_SLOW_MODES = 3
SGF_MOST_NUMBERS = 256

# Enumerations: names as in a config, in the order of their values.
ENUMERATIONS = {
    "sgf_status": ("ok", "error-value", "error-unsupported", "error-unstable", "error-diverged", "error-no-input",
            "error-create", "error-write", "error-memory", "error-numerical", "error-interrupted", "error-incompatible",
            "error-ambiguous"),
    "sgf_start": ("descent", "balanced", "noise-balanced"),
    "sgf_source": ("gaussian", "file"),
    "sgf_teacher": ("gaussian", "none", "low-rank"),
    "sgf_sampling": ("replacement", "without-replacement", "epoch"),
    "sgf_noise": ("empirical", "population", "isotropic"),
    "sgf_equation": ("continuum", "discrete", "exact", "closure", "multiplicative"),
    "sgf_dynamics": ("sgd", "langevin"),
    "sgf_langevin_noise": ("state", "frozen"),
    "sgf_protocol": ("ensemble", "window-pca"),
    "sgf_verdict": ("agree", "disagree", "inconclusive"),
    "sgf_method": ("auto", "symmetric", "schur", "kronecker", "low-rank"),
}

sgf_progress = CFUNCTYPE(c_bool, c_void_p, c_double, c_double)


class sgf_error(Structure):
    _fields_ = [
        ("status", c_int),
        ("message", c_char * 512),
    ]


class sgf_settings_data(Structure):
    _fields_ = [
        ("source", c_int),
        ("samples", c_size_t),
        ("input_spectrum", POINTER(c_double)),
        ("input_spectrum_count", c_size_t),
        ("input_power_law", c_double),
        ("teacher", c_int),
        ("teacher_rank", c_size_t),
        ("label_noise", c_double),
        ("file", c_char_p),
        ("reserved", c_uint64 * 8),
    ]


class sgf_settings_network(Structure):
    _fields_ = [
        ("widths", POINTER(c_size_t)),
        ("width_count", c_size_t),
        ("init_scale", c_double),
        ("weights", c_char_p),
        ("relax", c_bool),
        ("start", c_int),
        ("reserved", c_uint64 * 8),
    ]


class sgf_settings_training(Structure):
    _fields_ = [
        ("learning_rate", c_double),
        ("batch_size", c_size_t),
        ("sampling", c_int),
        ("momentum", c_double),
        ("weight_decay", c_double),
        ("reserved", c_uint64 * 8),
    ]


class sgf_settings_theory(Structure):
    _fields_ = [
        ("noise", c_int),
        ("equation", c_int),
        ("rank_tolerance", c_double),
        ("modes", c_size_t),
        ("flatness_factor", c_double),
        ("reserved", c_uint64 * 8),
    ]


class sgf_settings_simulation(Structure):
    _fields_ = [
        ("dynamics", c_int),
        ("langevin_noise", c_int),
        ("time_step", c_double),
        ("protocol", c_int),
        ("uncoupled", c_bool),
        ("replicas", c_size_t),
        ("burn_in", c_double),
        ("window", c_double),
        ("reserved", c_uint64 * 8),
    ]


class sgf_settings_verify(Structure):
    _fields_ = [
        ("tolerance", c_double),
        ("level", c_double),
        ("reserved", c_uint64 * 8),
    ]


class sgf_settings(Structure):
    _fields_ = [
        ("data", sgf_settings_data),
        ("network", sgf_settings_network),
        ("training", sgf_settings_training),
        ("theory", sgf_settings_theory),
        ("simulation", sgf_settings_simulation),
        ("verify", sgf_settings_verify),
        ("seed", c_uint64),
        ("reserved", c_uint64 * 16),
    ]


class sgf_ivfr(Structure):
    _fields_ = [
        ("psi", c_double),
        ("psi_low", c_double),
        ("psi_high", c_double),
        ("correlation", c_double),
        ("modes", c_size_t),
        ("left_out", c_size_t),
    ]


class sgf_time_scaling(Structure):
    _fields_ = [
        ("exponent", c_double),
        ("low", c_double),
        ("high", c_double),
        ("correlation", c_double),
        ("modes", c_size_t),
        ("left_out", c_size_t),
    ]


class sgf_time_info(Structure):
    _fields_ = [
        ("correlation_time", c_double),
        ("displacement_rate", c_double),
        ("scaling", sgf_time_scaling),
        ("scaling_uncoupled", sgf_time_scaling),
    ]


class sgf_layer_modes(Structure):
    _fields_ = [
        ("modes", c_size_t),
        ("principal", c_bool),
        ("coupling", c_double),
        ("residual", c_double),
        ("reserved", c_double * 4),
    ]


class sgf_noise_balance_info(Structure):
    _fields_ = [
        ("imbalance", c_double),
        ("rate", c_double),
        ("distance", c_double),
        ("surplus", c_size_t),
    ]


class sgf_prediction_info(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("weights", c_size_t),
        ("layers", c_size_t),
        ("rank_hessian", c_size_t),
        ("rank_noise", c_size_t),
        ("rank_gap", c_double),
        ("rank_tolerance", c_double),
        ("rank_ambiguous", c_bool),
        ("null_noise", c_double),
        ("diffusing_directions", c_size_t),
        ("diffusing_rate", c_double),
        ("residual", c_double),
        ("min_loss", c_double),
        ("regularized_loss", c_double),
        ("certified_global", c_bool),
        ("map_rank", c_size_t),
        ("rotations", c_size_t),
        ("scalings", c_size_t),
        ("global_loss", c_double),
        ("gradient_norm", c_double),
        ("balance_error", c_double),
        ("flow_time", c_double),
        ("condition_number", c_double),
        ("largest_curvature", c_double),
        ("relaxation_rate", c_double),
        ("decay_rate", c_double),
        ("modes_below_crossover", c_size_t),
        ("stability_limit", c_double),
        ("mean_square_limit", c_double),
        ("stability_is_bound", c_bool),
        ("noise_strength", c_double),
        ("temperature", c_double),
        ("trace", c_double),
        ("excess_loss", c_double),
        ("mean_shift", c_double),
        ("mean_drift", c_double),
        ("next_order", c_double),
        ("commutator", c_double),
        ("commutator_relative", c_double),
        ("irreversible", c_double),
        ("entropy_production", c_double),
        ("entropy_on_range", c_bool),
        ("noise_free", c_bool),
        ("anisotropy", c_double),
        ("isotropic_noise", c_bool),
        ("balance_rate", c_double),
        ("balance_drift", c_double),
        ("rate_ratio", c_double),
        ("lifetime", c_double),
        ("balance_shift", c_double),
        ("noise_balance", sgf_noise_balance_info),
        ("spectrum_distance", c_double),
        ("hessian_law_distance", c_double),
        ("noise_law_distance", c_double),
        ("ivfr", sgf_ivfr),
        ("time", sgf_time_info),
        ("untimed", c_char_p),
        ("null_drift", c_double),
        ("null_diffusion", c_double),
    ]


class sgf_layer_info(Structure):
    _fields_ = [
        ("weights", c_size_t),
        ("rank_hessian", c_size_t),
        ("rank_noise", c_size_t),
        ("null_noise", c_double),
        ("trace", c_double),
        ("trace_uncoupled", c_double),
        ("anisotropy", c_double),
        ("anisotropy_uncoupled", c_double),
        ("ivfr", sgf_ivfr),
        ("ivfr_uncoupled", sgf_ivfr),
        ("found", sgf_layer_modes),
        ("ivfr_closed_form", sgf_ivfr),
        ("ivfr_balanced", sgf_ivfr),
        ("time", sgf_time_info),
        ("ivfr_independent", sgf_ivfr),
        ("ivfr_uncoupled_independent", sgf_ivfr),
    ]


class sgf_number(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("value", c_double),
        ("whole", c_bool),
    ]


class sgf_rotation_info(Structure):
    _fields_ = [
        ("modes", c_size_t),
        ("left_out", c_char_p),
        ("too_many", c_char_p),
        ("drift", c_double),
        ("diffusion", c_double),
        ("angular_velocity", c_double),
        ("angular_diffusion", c_double),
        ("turn_time", c_double),
    ]


class sgf_covariance_operator_info(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("weights", c_size_t),
        ("layers", c_size_t),
        ("rank", c_size_t),
        ("rank_gap", c_double),
        ("rank_tolerance", c_double),
        ("rank_ambiguous", c_bool),
        ("relaxation_rate", c_double),
        ("largest_curvature", c_double),
        ("stability_limit", c_double),
        ("noise_strength", c_double),
        ("temperature", c_double),
        ("noise_free", c_bool),
        ("trace", c_double),
        ("excess_loss", c_double),
        ("bytes", c_double),
    ]


class sgf_cost(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("refusal", c_char_p),
        ("seconds", c_double),
        ("bytes", c_double),
        ("reserved", c_double * 4),
    ]


class sgf_costs(Structure):
    _fields_ = [
        ("count", c_size_t),
        ("paths", sgf_cost * 16),
        ("chosen", c_size_t),
        ("reason", c_char_p),
        ("weights", c_size_t),
        ("samples", c_size_t),
        ("memory", c_double),
        ("fits", c_bool),
        ("reserved", c_double * 8),
    ]


class sgf_plan(Structure):
    _fields_ = [
        ("replicas", c_size_t),
        ("burn_in_steps", c_size_t),
        ("window_steps", c_size_t),
        ("stride", c_size_t),
        ("looks", c_size_t),
        ("look", c_size_t),
        ("centred", c_bool),
        ("replicas_chosen", c_bool),
        ("burn_in_chosen", c_bool),
        ("window_chosen", c_bool),
        ("relaxed", c_double),
        ("lifetime", c_double),
        ("reserved", c_double * 8),
    ]


class sgf_ensemble_info(Structure):
    _fields_ = [
        ("replicas", c_size_t),
        ("pools", c_size_t),
        ("batches", c_bool),
        ("recorded", c_bool),
        ("centred", c_bool),
        ("plan", sgf_plan),
        ("steps", c_double),
        ("seconds", c_double),
        ("trace", c_double),
        ("trace_se", c_double),
    ]


class sgf_window_pca(Structure):
    _fields_ = [
        ("runs", c_size_t),
        ("psi", c_double),
        ("psi_error", c_double),
        ("correlation", c_double),
        ("correlation_error", c_double),
        ("reserved", c_double * 4),
    ]


class sgf_quantity(Structure):
    _fields_ = [
        ("name", c_char * 48),
        ("predicted", c_double),
        ("measured", c_double),
        ("standard_error", c_double),
        ("deviation", c_double),
        ("low", c_double),
        ("high", c_double),
        ("replicas_needed", c_double),
        ("verdict", c_int),
        ("reserved", c_double * 4),
    ]


class sgf_comparison_info(Structure):
    _fields_ = [
        ("verdict", c_int),
        ("quantities", c_size_t),
        ("agree", c_size_t),
        ("disagree", c_size_t),
        ("inconclusive", c_size_t),
        ("replicas_needed", c_double),
        ("look", c_size_t),
        ("level", c_double),
        ("r_hat", c_double),
        ("effective_samples", c_double),
        ("z_tested", c_bool),
        ("z_count", c_size_t),
        ("z_largest", c_double),
        ("z_variance", c_double),
        ("z_p_value", c_double),
        ("null_leak", c_double),
        ("null_leak_error", c_double),
        ("batch_correlation", c_double),
        ("correlation_ratio", c_double),
        ("correlation_ratio_error", c_double),
        ("directions", c_size_t),
        ("directions_share", c_double),
    ]


class sgf_mode_diagnostics(Structure):
    _fields_ = [
        ("rate", c_double),
        ("r_hat", c_double),
        ("ess_bulk", c_double),
        ("ess_tail", c_double),
        ("mean", c_double),
        ("mcse_mean", c_double),
        ("variance", c_double),
        ("mcse_variance", c_double),
        ("correlation_time", c_double),
        ("correlation_time_error", c_double),
        ("correlation_time_predicted", c_double),
    ]


class sgf_lyapunov_options(Structure):
    _fields_ = [
        ("discrete", c_bool),
        ("method", c_int),
        ("rank_tolerance", c_double),
        ("initial", POINTER(c_double)),
        ("memory", c_double),
        ("reserved", c_double * 8),
    ]


class sgf_certificate(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("rank", c_size_t),
        ("gap", c_double),
        ("ambiguous", c_bool),
        ("null_noise", c_double),
        ("residual", c_double),
        ("separation", c_double),
        ("error_bound", c_double),
        ("real", c_double),
        ("imaginary", c_double),
        ("refined", c_bool),
        ("method", c_int),
        ("reserved", c_double * 4),
    ]


class sgf_sparse(Structure):
    _fields_ = [
        ("rows", c_size_t),
        ("columns", c_size_t),
        ("starts", POINTER(c_int64)),
        ("indices", POINTER(c_int64)),
        ("values", POINTER(c_double)),
    ]


class sgf_system(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("A", POINTER(c_double)),
        ("sparse", sgf_sparse),
        ("columns", c_size_t),
        ("Q", POINTER(c_double)),
        ("initial", POINTER(c_double)),
        ("reserved", c_void_p * 4),
    ]


class sgf_provenance(Structure):
    _fields_ = [
        ("config", c_char_p),
        ("command", c_char_p),
        ("threads", c_int),
        ("request", c_char_p),
        ("reserved", c_void_p * 4),
    ]


class sgf_solution(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("X", POINTER(c_double)),
        ("rank", c_size_t),
        ("Z", POINTER(c_double)),
        ("certificate", POINTER(sgf_certificate)),
        ("command", c_char_p),
        ("reserved", c_void_p * 4),
    ]


# Fields that are enumerations.
ENUMERATED = {
    ("sgf_error", "status"): "sgf_status",
    ("sgf_settings_data", "source"): "sgf_source",
    ("sgf_settings_data", "teacher"): "sgf_teacher",
    ("sgf_settings_network", "start"): "sgf_start",
    ("sgf_settings_training", "sampling"): "sgf_sampling",
    ("sgf_settings_theory", "noise"): "sgf_noise",
    ("sgf_settings_theory", "equation"): "sgf_equation",
    ("sgf_settings_simulation", "dynamics"): "sgf_dynamics",
    ("sgf_settings_simulation", "langevin_noise"): "sgf_langevin_noise",
    ("sgf_settings_simulation", "protocol"): "sgf_protocol",
    ("sgf_quantity", "verdict"): "sgf_verdict",
    ("sgf_comparison_info", "verdict"): "sgf_verdict",
    ("sgf_lyapunov_options", "method"): "sgf_method",
    ("sgf_certificate", "method"): "sgf_method",
}

# Functions: type of the result, types of the arguments.
FUNCTIONS = {
    "sgf_status_text": (c_char_p, (c_int,)),
    "sgf_version": (c_char_p, ()),
    "sgf_process_init": (None, ()),
    "sgf_free": (None, (c_void_p,)),
    "sgf_libraries": (None, (c_char_p, c_size_t)),
    "sgf_time_of_step": (c_double, (POINTER(sgf_settings),)),
    "sgf_settings_init": (None, (POINTER(sgf_settings),)),
    "sgf_settings_set_widths": (c_int, (POINTER(sgf_settings), c_size_t, POINTER(c_size_t), POINTER(sgf_error))),
    "sgf_settings_free": (None, (POINTER(sgf_settings),)),
    "sgf_problem_create": (c_int, (POINTER(sgf_settings), c_char_p, c_bool, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_problem_from_arrays": (c_int, (POINTER(sgf_settings), c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(c_double), POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_problem_free": (None, (c_void_p,)),
    "sgf_problem_settings": (POINTER(sgf_settings), (c_void_p,)),
    "sgf_problem_samples": (c_size_t, (c_void_p,)),
    "sgf_problem_weights": (c_size_t, (c_void_p,)),
    "sgf_problem_minimum": (POINTER(c_double), (c_void_p,)),
    "sgf_predict": (c_int, (c_void_p, c_bool, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_prediction_free": (None, (c_void_p,)),
    "sgf_prediction_get_info": (POINTER(sgf_prediction_info), (c_void_p,)),
    "sgf_learning_rate_limit": (c_double, (c_void_p,)),
    "sgf_prediction_numbers": (c_size_t, (c_void_p, POINTER(sgf_number), c_size_t)),
    "sgf_prediction_get_layer": (POINTER(sgf_layer_info), (c_void_p, c_size_t)),
    "sgf_layer_numbers": (c_size_t, (c_void_p, c_size_t, POINTER(sgf_number), c_size_t)),
    "sgf_prediction_get_rotation": (POINTER(sgf_rotation_info), (c_void_p, c_size_t)),
    "sgf_rotation_numbers": (c_size_t, (c_void_p, c_size_t, POINTER(sgf_number), c_size_t)),
    "sgf_prediction_array": (POINTER(c_double), (c_void_p, c_char_p, POINTER(c_size_t), POINTER(c_size_t))),
    "sgf_covariance_operator_create": (c_int, (c_void_p, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_covariance_operator_free": (None, (c_void_p,)),
    "sgf_covariance_operator_get_info": (POINTER(sgf_covariance_operator_info), (c_void_p,)),
    "sgf_covariance_operator_apply": (c_int, (c_void_p, c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(sgf_error))),
    "sgf_covariance_operator_forms": (c_int, (c_void_p, c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(sgf_error))),
    "sgf_covariance_operator_curvatures": (c_int, (c_void_p, c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(sgf_error))),
    "sgf_covariance_operator_diagonal": (c_int, (c_void_p, POINTER(c_double), POINTER(sgf_error))),
    "sgf_covariance_operator_rates": (c_int, (c_void_p, POINTER(c_double), POINTER(sgf_error))),
    "sgf_covariance_operator_block": (c_int, (c_void_p, c_size_t, POINTER(c_double), POINTER(sgf_error))),
    "sgf_covariance_operator_principal": (c_int, (c_void_p, c_size_t, c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(c_double), POINTER(c_double), POINTER(sgf_error))),
    "sgf_covariance_operator_layer": (c_int, (c_void_p, c_size_t, c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(sgf_layer_modes), POINTER(sgf_error))),
    "sgf_covariance_operator_samples": (c_int, (c_void_p, c_size_t, c_uint64, POINTER(c_double), POINTER(sgf_error))),
    "sgf_estimate_costs": (c_int, (POINTER(sgf_settings), c_char_p, c_bool, POINTER(sgf_costs), POINTER(sgf_error))),
    "sgf_estimate_costs_on_directions": (c_int, (POINTER(sgf_settings), c_char_p, POINTER(sgf_costs),
            POINTER(sgf_error))),
    "sgf_predict_by_operator": (c_int, (c_void_p, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_predict_on_directions": (c_int, (c_void_p, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_prediction_directions": (POINTER(c_double), (c_void_p, POINTER(c_size_t))),
    "sgf_plan_simulation": (c_int, (c_void_p, c_void_p, POINTER(sgf_plan), POINTER(sgf_error))),
    "sgf_predict_runs": (c_int, (c_void_p, c_void_p, POINTER(sgf_plan), POINTER(sgf_error))),
    "sgf_whole_left_out": (c_char_p, (c_void_p, c_void_p)),
    "sgf_simulate": (c_int, (c_void_p, POINTER(sgf_plan), c_int, sgf_progress, c_void_p, POINTER(c_void_p),
            POINTER(sgf_error))),
    "sgf_simulation_create": (c_int, (c_void_p, POINTER(sgf_plan), POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_simulation_create_on": (c_int, (c_void_p, POINTER(sgf_plan), c_size_t, POINTER(c_double), POINTER(c_void_p),
            POINTER(sgf_error))),
    "sgf_simulation_free": (None, (c_void_p,)),
    "sgf_simulation_follow": (c_int, (c_void_p, c_size_t, POINTER(c_double), POINTER(sgf_error))),
    "sgf_prediction_slow_modes": (c_size_t, (c_void_p, c_size_t, POINTER(POINTER(c_double)))),
    "sgf_simulation_record": (c_int, (c_void_p, c_char_p, c_size_t, POINTER(sgf_provenance), POINTER(sgf_error))),
    "sgf_simulation_record_end": (c_int, (c_void_p, POINTER(c_size_t), POINTER(c_size_t), POINTER(sgf_error))),
    "sgf_simulation_run": (c_int, (c_void_p, c_size_t, c_int, sgf_progress, c_void_p, POINTER(sgf_error))),
    "sgf_simulation_ensemble": (c_void_p, (c_void_p,)),
    "sgf_simulation_replicas": (c_size_t, (c_void_p,)),
    "sgf_simulation_plan": (POINTER(sgf_plan), (c_void_p,)),
    "sgf_simulation_end": (c_int, (c_void_p, POINTER(c_size_t), POINTER(sgf_error))),
    "sgf_simulation_save": (c_int, (c_void_p, c_char_p, c_char_p, POINTER(sgf_error))),
    "sgf_simulation_load": (c_int, (c_void_p, c_char_p, c_char_p, POINTER(c_void_p), c_char_p, POINTER(sgf_error))),
    "sgf_simulation_forget": (None, (c_char_p,)),
    "sgf_workers_begin": (c_int, (POINTER(c_bool), POINTER(sgf_error))),
    "sgf_workers_serve": (None, (sgf_progress, c_void_p)),
    "sgf_workers_end": (None, ()),
    "sgf_trajectory_read": (c_int, (c_char_p, c_void_p, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_trajectory_read_on": (c_int, (c_char_p, c_void_p, c_size_t, POINTER(c_double), POINTER(c_void_p),
            POINTER(sgf_error))),
    "sgf_trajectory_from_array": (c_int, (c_void_p, c_size_t, c_size_t, POINTER(c_double), c_size_t, c_size_t,
            POINTER(c_double), POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_ensemble_free": (None, (c_void_p,)),
    "sgf_ensemble_get_info": (POINTER(sgf_ensemble_info), (c_void_p,)),
    "sgf_ensemble_moments": (c_int, (c_void_p, POINTER(c_double), POINTER(c_double), POINTER(c_double),
            POINTER(sgf_error))),
    "sgf_window_pca_measure": (c_int, (c_void_p, c_void_p, c_size_t, POINTER(sgf_window_pca), POINTER(c_double),
            POINTER(c_double), POINTER(sgf_error))),
    "sgf_compare": (c_int, (c_void_p, c_void_p, c_void_p, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_comparison_free": (None, (c_void_p,)),
    "sgf_comparison_get_info": (POINTER(sgf_comparison_info), (c_void_p,)),
    "sgf_comparison_quantities": (POINTER(sgf_quantity), (c_void_p,)),
    "sgf_comparison_untested": (POINTER(sgf_quantity), (c_void_p, POINTER(c_size_t))),
    "sgf_comparison_get_mode": (POINTER(sgf_mode_diagnostics), (c_void_p, c_size_t)),
    "sgf_mode_numbers": (c_size_t, (POINTER(sgf_mode_diagnostics), POINTER(sgf_number), c_size_t)),
    "sgf_verdict_text": (c_char_p, (c_int,)),
    "sgf_comparison_numbers": (c_size_t, (c_void_p, POINTER(sgf_number), c_size_t)),
    "sgf_quantity_numbers": (c_size_t, (POINTER(sgf_quantity), POINTER(sgf_number), c_size_t)),
    "sgf_lyapunov_options_init": (None, (POINTER(sgf_lyapunov_options),)),
    "sgf_lyapunov_solve": (c_int, (c_size_t, POINTER(c_double), c_size_t, POINTER(c_double),
            POINTER(sgf_lyapunov_options), POINTER(c_double), POINTER(sgf_certificate), POINTER(sgf_error))),
    "sgf_lyapunov_solve_many": (c_int, (c_size_t, c_size_t, POINTER(c_double), POINTER(c_double),
            POINTER(sgf_lyapunov_options), c_int, POINTER(c_double), POINTER(sgf_certificate), POINTER(c_int),
            POINTER(sgf_error))),
    "sgf_lyapunov_solve_sparse": (c_int, (POINTER(sgf_sparse), c_size_t, POINTER(c_double),
            POINTER(sgf_lyapunov_options), POINTER(c_double), POINTER(sgf_certificate), POINTER(sgf_error))),
    "sgf_lyapunov_solve_low_rank": (c_int, (POINTER(sgf_sparse), c_size_t, POINTER(c_double), c_double,
            POINTER(sgf_lyapunov_options), POINTER(c_size_t), POINTER(POINTER(c_double)), POINTER(sgf_certificate),
            POINTER(sgf_error))),
    "sgf_method_text": (c_char_p, (c_int,)),
    "sgf_certificate_numbers": (c_size_t, (POINTER(sgf_certificate), POINTER(sgf_number), c_size_t)),
    "sgf_system_read": (c_int, (c_char_p, c_char_p, c_bool, c_char_p, POINTER(sgf_system), POINTER(sgf_error))),
    "sgf_system_free": (None, (POINTER(sgf_system),)),
    "sgf_write_results": (c_int, (c_char_p, POINTER(sgf_provenance), c_void_p, c_void_p, c_void_p, c_void_p, c_bool,
            POINTER(sgf_error))),
    "sgf_write_report": (c_int, (c_char_p, POINTER(sgf_provenance), c_void_p, c_void_p, c_void_p, c_void_p,
            POINTER(c_bool), POINTER(sgf_error))),
    "sgf_results_open": (c_int, (c_char_p, POINTER(c_void_p), POINTER(sgf_error))),
    "sgf_results_close": (None, (c_void_p,)),
    "sgf_results_number": (c_double, (c_void_p, c_char_p)),
    "sgf_results_text": (c_void_p, (c_void_p, c_char_p)),
    "sgf_write_solution": (c_int, (c_char_p, c_char_p, POINTER(sgf_solution), POINTER(sgf_error))),
    "sgf_check_extension": (c_int, (c_char_p, POINTER(sgf_error))),
    "sgf_write_text": (c_int, (c_char_p, c_char_p, POINTER(sgf_error))),
    "sgf_check_output": (c_int, (c_char_p, POINTER(sgf_error))),
}
