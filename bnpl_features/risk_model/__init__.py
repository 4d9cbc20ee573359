"""The risk model: training set, training, evaluation, registry; what a prediction service scores with.

A service needs two names; neither asks for more than LightGBM and NumPy, the registry for MLflow as well:

    from bnpl_features.risk_model.model import Model
    from bnpl_features.risk_model.model_files import read_model     # or registry.load_model

`Model` documents what it offers: `name`, `version`, `fingerprint`, `inputs`, `score_one`, `score_batch`,
`contributions` and `reading`, which turns a reader's answers into the vectors that `score_one` takes.
"""
