output "redis_url" {
  description = "REDIS_URL of the four secrets of processes. `gcloud redis clusters get-cluster-certificate-authority` prints what ca.pem of the ConfigMap bnpl-store-ca holds."
  value       = "rediss+cluster://${google_redis_cluster.store.discovery_endpoints[0].address}:6379?token=google&ssl_ca_certs=/etc/bnpl-store/ca.pem"
}

output "postgres_address" {
  description = "Host of DAGSTER_POSTGRES_URL and BNPL_MODEL_REGISTRY_URL; the user is bnpl, the databases are dagster and mlflow."
  value       = google_sql_database_instance.postgres.private_ip_address
}

output "images" {
  description = "Where images are pushed to; the overlay's images take them from there."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "service_accounts" {
  description = "Of deploy/kubernetes/gke/identities.yaml."
  value       = { for name, account in google_service_account.process : "bnpl-${name}" => account.email }
}
