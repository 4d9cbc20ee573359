resource "google_artifact_registry_repository" "images" {
  repository_id = "bnpl-features"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of deploy/images."
  labels        = local.labels

  # What runs today can be pulled tomorrow under the same name, and is the same.
  docker_config {
    immutable_tags = true
  }

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "drop-untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.apis]
}
