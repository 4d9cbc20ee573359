# The store: a cluster with a replica of each primary in another zone, TLS, and logins by IAM.
resource "google_redis_cluster" "store" {
  name          = "bnpl-features"
  region        = var.region
  node_type     = var.redis_node_type
  shard_count   = var.redis_shards
  replica_count = 1
  redis_configs = { maxmemory-policy = "noeviction" }

  transit_encryption_mode     = "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"
  authorization_mode          = "AUTH_MODE_IAM_AUTH"
  deletion_protection_enabled = true

  psc_configs {
    network = var.network
  }

  zone_distribution_config {
    mode = "MULTI_ZONE"
  }

  # What is lost with the store is published again from the warehouse; velocity is rebuilt. A snapshot saves the time.
  persistence_config {
    mode = "RDB"
    rdb_config {
      rdb_snapshot_period = "SIX_HOURS"
    }
  }

  # Not while a day is being published.
  maintenance_policy {
    weekly_maintenance_window {
      day = "TUESDAY"
      start_time {
        hours = 10
      }
    }
  }

  depends_on = [google_network_connectivity_service_connection_policy.redis]
}

resource "google_network_connectivity_service_connection_policy" "redis" {
  name          = "bnpl-features-redis"
  location      = var.region
  service_class = "gcp-memorystore-redis"
  network       = var.network

  psc_config {
    subnetworks = [var.subnetwork]
  }

  depends_on = [google_project_service.apis]
}
