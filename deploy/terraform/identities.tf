# An account for each kind of process, with what that process does and nothing else. Pods become them by workload identity.
locals {
  accounts = {
    pipeline = "Dagster and its runs: computes, checks, publishes, trains."
    scoring  = "The prediction service: reads the store."
    stream   = "Workers of the stream: write velocity."
    console  = "The console: reads the warehouse, acts on the store."
  }

  project_roles = {
    pipeline = ["roles/bigquery.jobUser", "roles/bigquery.readSessionUser", "roles/redis.dbConnectionUser"]
    scoring  = ["roles/redis.dbConnectionUser"]
    stream   = ["roles/redis.dbConnectionUser"]
    console  = ["roles/bigquery.jobUser", "roles/bigquery.readSessionUser", "roles/redis.dbConnectionUser"]
  }

  granted = merge([for account, roles in local.project_roles : { for role in roles : "${account} ${role}" => [account, role] }]...)
}

resource "google_service_account" "process" {
  for_each = local.accounts

  account_id  = "bnpl-${each.key}"
  description = each.value
}

resource "google_service_account_iam_member" "pod" {
  for_each = local.accounts

  service_account_id = google_service_account.process[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.namespace}/bnpl-${each.key}]"
}

resource "google_project_iam_member" "process" {
  for_each = local.granted

  project = var.project
  role    = each.value[1]
  member  = google_service_account.process[each.value[0]].member
}

resource "google_bigquery_dataset_iam_member" "features" {
  dataset_id = google_bigquery_dataset.features.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.process["pipeline"].member
}

resource "google_bigquery_dataset_iam_member" "features_read" {
  dataset_id = google_bigquery_dataset.features.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.process["console"].member
}

# Of an experiment's purchases the console asks what became of them.
resource "google_bigquery_dataset_iam_member" "purchases" {
  for_each = var.purchases_dataset == "" ? [] : toset(["pipeline", "console"])

  dataset_id = var.purchases_dataset
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.process[each.key].member
}
