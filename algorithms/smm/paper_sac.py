"""The settings of soft actor-critic that all methods of the SMM paper share."""

from collections.abc import Mapping

from expedition.algorithms.core.hyperparameters import Hyperparameter

PAPER_SAC: Mapping[str, Hyperparameter] = {
    "variant": Hyperparameter("v1", "form of SAC", "released code", choices=("v1", "v2")),
    "twin_q": Hyperparameter(False, "two Q-networks", "released code", choices=(True, False)),
    "alpha": Hyperparameter(
        1.0, "temperature; auto learns it", "released code", low=0, words=("auto",)
    ),
    "tau": Hyperparameter(
        0.001, "target smoothing a gradient step", "released code", low=0, high=1
    ),
    "hidden_sizes": Hyperparameter((300, 300), "hidden widths of every network", "app. D.2"),
    "policy_activation": Hyperparameter(
        "tanh",
        "hidden non-linearity of the policy",
        "app. D.2; released code: relu",
        choices=("relu", "tanh"),
    ),
    "policy_regulariser": Hyperparameter(
        1e-3, "weight of mean(mean^2) + mean(log_std^2)", "released code", low=0
    ),
    "train_batch_size": Hyperparameter(128, "transitions a gradient step", "app. D.2", low=1),
    "warmup_actions": Hyperparameter(
        "policy", "who acts during warm-up", "released code", choices=("uniform", "policy")
    ),
    "time_limit_is_terminal": Hyperparameter(
        True, "no bootstrap at the time limit", "released code", choices=(True, False)
    ),
    "num_historical_policies": Hyperparameter(
        10, "policies in the historical average; 0: off", "table 3", low=0
    ),
}
