-- Beside Dagster's database: the registry of models.
CREATE DATABASE mlflow;
