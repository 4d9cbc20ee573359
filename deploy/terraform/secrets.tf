# Places for secrets, one for each kind of process. Their values are put there by `gcloud secrets versions add`, never by Terraform,
# and reach the pods' secrets of the same names by whatever your clusters use (External Secrets, the CSI driver).
locals {
  secrets = {
    bnpl-pipeline = ["pipeline"]
    bnpl-scoring  = ["scoring"]
    bnpl-stream   = ["stream"]
    bnpl-console  = ["console"]
    bnpl-api-keys = ["scoring"]
  }

  readers = merge([for secret, accounts in local.secrets : { for one in accounts : "${secret} ${one}" => [secret, one] }]...)
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  secret_id           = each.key
  labels              = local.labels
  version_destroy_ttl = "604800s"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  secret_id = google_secret_manager_secret.secret[each.value[0]].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.process[each.value[1]].member
}
