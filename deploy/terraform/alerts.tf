# Alerts of the managed services. Those of the features, the service and the stream are Prometheus's: deploy/monitoring/alerts.yaml.
locals {
  alerts = {
    "Memory of the feature store" = {
      filter    = "resource.type = \"redis.googleapis.com/Cluster\" AND metric.type = \"redis.googleapis.com/cluster/memory/average_utilization\""
      threshold = 0.8
      says      = "A publication is refused before memory runs out. Retire a version, or raise redis_shards: docs/runbooks/store-memory.md."
    }
    "CPU of the feature store" = {
      filter    = "resource.type = \"redis.googleapis.com/Cluster\" AND metric.type = \"redis.googleapis.com/cluster/cpu/average_utilization\""
      threshold = 0.8
      says      = "Lookups will exceed their budget. Raise redis_shards."
    }
    "Disk of Dagster's database" = {
      filter    = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/disk/utilization\""
      threshold = 0.9
      says      = "It grows by itself; see why it grew. dagster.yaml says what is purged."
    }
    "CPU of Dagster's database" = {
      filter    = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/cpu/utilization\""
      threshold = 0.9
      says      = "Runs are slow to start. Raise postgres_tier."
    }
  }
}

resource "google_monitoring_alert_policy" "managed" {
  for_each = local.alerts

  display_name          = each.key
  combiner              = "OR"
  notification_channels = var.notification_channels
  user_labels           = local.labels

  conditions {
    display_name = each.key
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = "600s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MEAN"
      }
    }
  }

  documentation {
    content = each.value.says
  }

  depends_on = [google_project_service.apis]
}
