# Dagster's runs and event log, which the gate of publications asks; and the registry of models.
resource "google_sql_database_instance" "postgres" {
  name                = "bnpl-features"
  region              = var.region
  database_version    = "POSTGRES_15"
  deletion_protection = true

  settings {
    tier                        = var.postgres_tier
    edition                     = "ENTERPRISE"
    availability_type           = "REGIONAL"
    disk_autoresize             = true
    deletion_protection_enabled = true
    user_labels                 = local.labels

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "00:30"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7
    }

    maintenance_window {
      day  = 2
      hour = 10
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_sql_database" "postgres" {
  for_each = toset(["dagster", "mlflow"])

  name     = each.key
  instance = google_sql_database_instance.postgres.name
}

resource "google_sql_user" "bnpl" {
  name                = "bnpl"
  instance            = google_sql_database_instance.postgres.name
  password_wo         = var.postgres_password
  password_wo_version = var.postgres_password_version
}
