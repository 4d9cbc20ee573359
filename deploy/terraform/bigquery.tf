# The tables of features, profiles and predictions are made by the library, partitioned by day and clustered by customer. They
# take their expiry from the dataset.
resource "google_bigquery_dataset" "features" {
  dataset_id                      = "bnpl_features"
  location                        = var.region
  description                     = "Features, profiles and predictions of bnpl-features."
  default_partition_expiration_ms = local.kept_ms
  max_time_travel_hours           = 168
  delete_contents_on_destroy      = false
  labels                          = local.labels

  depends_on = [google_project_service.apis]
}

# The purchases, where they are not in the warehouse already: the columns of the source contract (docs/source.md).
resource "google_bigquery_table" "transactions" {
  count = var.purchases_dataset == "" ? 1 : 0

  dataset_id          = google_bigquery_dataset.features.dataset_id
  table_id            = "transactions"
  schema              = file("${path.module}/transactions.json")
  clustering          = ["customer_id"]
  deletion_protection = true
  labels              = local.labels

  time_partitioning {
    type          = "DAY"
    field         = "transaction_timestamp"
    expiration_ms = local.kept_ms
  }
}

locals {
  kept_ms = var.kept_days * 24 * 60 * 60 * 1000
  labels  = { system = "bnpl-features" }
}
