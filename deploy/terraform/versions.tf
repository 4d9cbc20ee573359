# Keep the state where your others are: `terraform init -backend-config=...`. No secret's value is part of it.
terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = var.region
}

resource "google_project_service" "apis" {
  for_each = toset([
    "artifactregistry", "bigquery", "bigquerystorage", "container", "file", "iam", "monitoring", "networkconnectivity",
    "redis", "secretmanager", "servicenetworking", "sqladmin",
  ])

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}
