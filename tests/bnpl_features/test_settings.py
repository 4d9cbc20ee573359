"""Settings from files that the tests write and environments that they make up; the process's own is not read."""

from pathlib import Path

import pytest

from bnpl_features.errors import SettingsError
from bnpl_features.settings import VARIABLES, Settings, load_settings
from bnpl_features.variables import SECRETS

ACCEPTED = {
    "BNPL_WAREHOUSE": "bigquery",
    "BNPL_PIPELINE_EXECUTOR": "multiprocess",
    "OTEL_TRACES_EXPORTER": "otlp",
    "BNPL_STREAMING_SOURCE": "kafka",
    "BNPL_DRIFT_WARN": "0.2",
    "BNPL_RETRAINING_ASKING_DAYS": "2",
    "BNPL_RETRAINING_OF_DAYS": "7",
    "BNPL_RETRAINING_MODE": "none",
    "BNPL_RETRAINING_SHARE": "0.5",
    "BNPL_RETRAINING_CALIBRATION_RATIO": "1.5",
    "BNPL_RETRAINING_AUTO_PROMOTE": "true",
    "BNPL_MODEL_FEATURE_SET": "behavioural@2",
    "BNPL_ALERTS_MAIL_SECURITY": "tls",
}
"""Values of the variables that do not take 1."""


def settings(folder: Path, text: str = "", **variables: str) -> Settings:
    (folder / "bnpl-features.toml").write_text(text, encoding="utf-8")
    return load_settings(variables, folder)


def complaint(folder: Path, text: str = "", **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(folder, text, **variables)
    return str(caught.value)


# Where values come from


def test_without_a_file_or_variables_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path) == Settings()


def test_a_file_in_the_folder_is_read(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        """
        [warehouse]
        engine = "bigquery"
        project = "lender"
        timeout_seconds = 60
        [store]
        retained_versions = 3
        customer_key = "env:KEY"
        [checks]
        drift_warn = 0.05
        [checks.drift_thresholds]
        txn_count_7d = [0.2, 1]
        [transactions]
        relation = "lender.purchases"
        columns = { amount = "total" }
        """.replace("txn_count_7d", FEATURE),
        KEY="schlüssel",
    )

    assert (found.warehouse.engine, found.warehouse.project, found.warehouse.timeout_seconds) == (
        "bigquery",
        "lender",
        60,
    )
    assert (found.store.retained_versions, found.store.customer_key) == (3, "schlüssel".encode())
    assert (found.checks.drift_warn, found.checks.drift_thresholds) == (0.05, {FEATURE: (0.2, 1.0)})
    assert (found.source.relation, found.source.columns) == ("lender.purchases", {"amount": "total"})


def test_a_variable_names_another_file(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[store]\nnamespace = "other"\n')

    assert settings(tmp_path, '[store]\nnamespace = "here"\n', BNPL_SETTINGS=str(other)).store.namespace == "other"


def test_the_environment_wins_over_the_file_and_leaves_the_rest_of_it(tmp_path: Path) -> None:
    text = '[store]\nnamespace = "file"\nretained_versions = 3\n'

    store = settings(tmp_path, text, BNPL_NAMESPACE="environment").store

    assert (store.namespace, store.retained_versions) == ("environment", 3)


def test_overrides_win_over_the_environment(tmp_path: Path) -> None:
    found = load_settings({"BNPL_NAMESPACE": "environment"}, tmp_path, {"BNPL_NAMESPACE": "override"})

    assert found.store.namespace == "override"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    found = settings(tmp_path, '[store]\nnamespace = "file"\n', BNPL_NAMESPACE="", BNPL_COLUMN_AMOUNT="")

    assert (found.store.namespace, found.source.columns) == ("file", {})


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_reaches_its_setting(tmp_path: Path, variable: str) -> None:
    section, key = VARIABLES[variable]
    value = ACCEPTED.get(variable, "1")

    found = settings(tmp_path, **{variable: value})

    default, given = (getattr(getattr(s, section.replace("transactions", "source")), key) for s in (Settings(), found))
    assert type(given) is type(default) or isinstance(default, Path)
    assert given == (value.encode() if isinstance(default, bytes) else type(default)(value))


def test_a_feature_set_that_is_not_declared_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"model\.feature_set 'behavioural@9': choose one of behavioural@1, "):
        settings(tmp_path, BNPL_MODEL_FEATURE_SET="behavioural@9")


def test_a_folder_may_be_in_the_home_folder(tmp_path: Path) -> None:
    assert settings(tmp_path, BNPL_STORE_FOLDER="~/store").store.folder == Path.home() / "store"


# The column map


def test_variables_add_to_the_column_map_of_the_file_and_win_over_it(tmp_path: Path) -> None:
    text = '[transactions.columns]\namount = "total"\nstatus = "state"\n'

    columns = settings(tmp_path, text, BNPL_COLUMN_AMOUNT="order_total", BNPL_COLUMN_DEVICE_ID="device").source.columns

    assert columns == {"amount": "order_total", "status": "state", "device_id": "device"}


def test_a_column_that_the_contract_does_not_know_is_refused(tmp_path: Path) -> None:
    assert "'amunt', which is not a column" in complaint(tmp_path, BNPL_COLUMN_AMUNT="total")


@pytest.mark.parametrize("own", ['"order total"', "7", "['a']"])
def test_an_own_name_that_is_no_column_name_is_refused(tmp_path: Path, own: str) -> None:
    assert "use a plain column name" in complaint(tmp_path, f"[transactions.columns]\namount = {own}\n")


def test_a_column_map_that_is_no_section_is_refused(tmp_path: Path) -> None:
    assert "[transactions.columns]" in complaint(tmp_path, '[transactions]\ncolumns = "amount=total"\n')


def test_a_relation_that_is_no_table_name_is_refused(tmp_path: Path) -> None:
    assert "use a table name" in complaint(tmp_path, BNPL_TRANSACTIONS="a table")


# What is refused


def test_a_named_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "BNPL_SETTINGS names /nowhere.toml" in complaint(tmp_path, BNPL_SETTINGS="/nowhere.toml")


def test_a_settings_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path} cannot be read" in complaint(tmp_path, BNPL_SETTINGS=str(tmp_path))


@pytest.mark.parametrize("content", [b"[store", b"namespace = \xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bnpl-features.toml").write_bytes(content)

    with pytest.raises(SettingsError, match="is not valid TOML"):
        load_settings({}, tmp_path)


def test_an_unknown_section_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    assert "unknown sections: stores; did you mean 'store'?" in complaint(tmp_path, "[stores]\n")


@pytest.mark.parametrize(
    ("section", "key"),
    [("warehouse", "enginee"), ("store", "__doc__"), ("checks", "fields"), ("transactions", "table")],
)
def test_an_unknown_key_is_refused(tmp_path: Path, section: str, key: str) -> None:
    message = complaint(tmp_path, f'[{section}]\n{key} = "x"\n')

    assert f"settings section [{section}] has unknown keys: {key}" in message


@pytest.mark.parametrize("section", ["warehouse", "store", "checks", "transactions"])
def test_a_section_that_is_a_value_is_refused(tmp_path: Path, section: str) -> None:
    assert f"write [{section}]" in complaint(tmp_path, f'{section} = "x"\n', REDIS_URL="redis://a")


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    assert "'snowflake': choose one of duckdb, bigquery" in complaint(tmp_path, BNPL_WAREHOUSE="snowflake")


@pytest.mark.parametrize("value", ["two", "2.5", "-1", "", "true", "2.0"])
def test_a_value_that_is_no_whole_number_is_refused(tmp_path: Path, value: str) -> None:
    text = f"[warehouse]\nthreads = {value if value[:1].isdigit() or value in ('-1', 'true') else repr(value)}\n"

    assert "setting warehouse.threads" in complaint(tmp_path, text)


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "true", "'much'", "[0.1]"])
def test_a_value_that_is_no_number_is_refused(tmp_path: Path, value: str) -> None:
    assert "setting checks.null_increase" in complaint(tmp_path, f"[checks]\nnull_increase = {value}\n")


def test_a_bad_value_of_the_environment_is_named_by_its_variable(tmp_path: Path) -> None:
    assert "setting BNPL_REFERENCE_DAYS is 'week'" in complaint(tmp_path, BNPL_REFERENCE_DAYS="week")


@pytest.mark.parametrize(("section", "key"), [("checks", "reference_days"), ("warehouse", "timeout_seconds")])
def test_numbers_that_must_be_positive_may_not_be_0(tmp_path: Path, section: str, key: str) -> None:
    assert "above 0" in complaint(tmp_path, f"[{section}]\n{key} = 0\n")


@pytest.mark.parametrize("key", ["namespace", "folder", "url", "customer_key"])
def test_text_must_be_text(tmp_path: Path, key: str) -> None:
    assert f"setting store.{key}" in complaint(tmp_path, f"[store]\n{key} = 123456\n")


def test_secrets_are_neither_in_messages_nor_in_the_printed_settings(tmp_path: Path) -> None:
    assert "123456" not in complaint(tmp_path, "[store]\ncustomer_key = 123456\n")
    assert "hunter2" not in complaint(tmp_path, '[store]\nurl = ["redis://:hunter2@host"]\n')
    assert "hunter2" not in repr(settings(tmp_path, BNPL_CUSTOMER_KEY="hunter2"))


# Secrets by reference


def test_a_secret_is_read_from_the_file_that_a_setting_or_a_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")

    in_the_file = settings(tmp_path, f'[store]\ncustomer_key = "file:{secret}"\n')
    by_a_variable = settings(tmp_path, REDIS_URL=f"file:{secret}")

    assert in_the_file.store.customer_key == b"hunter2"
    assert by_a_variable.store.url == "hunter2"


@pytest.mark.parametrize(("section", "key"), sorted(SECRETS))
def test_no_secret_may_stand_in_the_file(tmp_path: Path, section: str, key: str) -> None:
    message = complaint(tmp_path, f'[{section}]\n{key} = "redis://reader:hunter2@host"\n')

    assert f"setting {section}.{key} is a secret" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("url", ["rediss://host:6379/0", "unix:///run/redis.sock", "kafka-1:9092,kafka-2:9092"])
def test_an_address_without_a_password_may(tmp_path: Path, url: str) -> None:
    assert settings(tmp_path, f'[store]\nurl = "{url}"\n').store.url == url


def test_a_password_among_an_addresss_options_may_not(tmp_path: Path) -> None:
    text = '[store]\nurl = "rediss+sentinel://host/mymaster?sentinel_password=hunter2"\n'

    assert "hunter2" not in complaint(tmp_path, text)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("env:NOWHERE", "refers to the variable NOWHERE, which is empty or not set"),
        ("file:/nowhere/secret", "/nowhere/secret, which cannot be read: No such file or directory"),
        ("file:empty", "which is empty"),
        ("file:binary", "not UTF-8 text"),
    ],
)
def test_a_reference_to_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, says: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)

    assert says in complaint(tmp_path, BNPL_CUSTOMER_KEY=reference)


def test_no_secret_is_part_of_the_printed_settings(tmp_path: Path) -> None:
    variables = {name: place for name, place in VARIABLES.items() if place in SECRETS}

    found = settings(tmp_path, **dict.fromkeys(variables, "hunter2"))

    assert len(variables) == len(SECRETS) >= 8
    assert "hunter2" not in repr(found)


FEATURE = "txn_count_30d"


@pytest.mark.parametrize("pair", ["0.1", "[0.1]", "[0.1, 0.2, 0.3]", "['a', 'b']", "[0.2, 0.1]", "[-1, 0.1]"])
def test_thresholds_of_a_feature_are_two_numbers_in_order(tmp_path: Path, pair: str) -> None:
    message = complaint(tmp_path, f"[checks.drift_thresholds]\n{FEATURE} = {pair}\n")

    assert f"checks.drift_thresholds.{FEATURE}" in message


def test_thresholds_of_an_unknown_feature_are_refused(tmp_path: Path) -> None:
    assert "unknown features: loyalty" in complaint(tmp_path, "[checks.drift_thresholds]\nloyalty = [0.1, 0.2]\n")


def test_thresholds_that_are_no_section_are_refused(tmp_path: Path) -> None:
    assert "[checks.drift_thresholds]" in complaint(tmp_path, "[checks]\ndrift_thresholds = 0.1\n")


def test_a_warning_threshold_above_the_error_threshold_is_refused(tmp_path: Path) -> None:
    assert "is above the error threshold" in complaint(tmp_path, BNPL_DRIFT_WARN="0.5")


# Retraining and alerts


def test_a_choice_is_either_true_or_false(tmp_path: Path) -> None:
    assert settings(tmp_path, "[retraining]\nauto_promote = true\n").retraining.auto_promote is True
    assert settings(tmp_path, BNPL_RETRAINING_AUTO_PROMOTE="false").retraining.auto_promote is False
    assert "write true or false" in complaint(tmp_path, BNPL_RETRAINING_AUTO_PROMOTE="yes")


def test_days_that_could_never_ask_or_never_calm_down_are_refused(tmp_path: Path) -> None:
    assert "must rise" in complaint(tmp_path, BNPL_RETRAINING_ASKING_DAYS="6")
    assert "must rise" in complaint(tmp_path, BNPL_RETRAINING_CALM_DAYS="3")


def test_share_or_ratio_that_means_nothing_is_refused(tmp_path: Path) -> None:
    assert "retraining.share is 1.0" in complaint(tmp_path, BNPL_RETRAINING_SHARE="1")
    assert "calibration_ratio is 0.8" in complaint(tmp_path, BNPL_RETRAINING_CALIBRATION_RATIO="0.8")


def test_unknown_trial_is_refused_with_what_there_is(tmp_path: Path) -> None:
    assert "choose one of shadow, experiment, none" in complaint(tmp_path, BNPL_RETRAINING_MODE="canary")


def test_a_webhooks_address_is_never_part_of_a_message(tmp_path: Path) -> None:
    assert "T0/secret" not in complaint(tmp_path, "[alerts]\nwebhook_url = ['https://hooks.test/T0/secret']\n")
    assert "T0/secret" not in repr(settings(tmp_path, BNPL_ALERTS_WEBHOOK_URL="https://hooks.test/T0/secret"))
