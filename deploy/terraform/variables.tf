variable "project" {
  type        = string
  description = "The project that everything is made in."
}

variable "region" {
  type        = string
  description = "Where everything is, such as europe-west3. The warehouse must be where the purchases are."
}

variable "network" {
  type        = string
  description = "The VPC of the GKE cluster, as projects/P/global/networks/N. It needs private services access for Cloud SQL."
}

variable "subnetwork" {
  type        = string
  description = "A subnetwork of it, as projects/P/regions/R/subnetworks/S: the store's addresses come from there."
}

variable "purchases_dataset" {
  type        = string
  default     = ""
  description = "The dataset, in this project, that holds the purchases. Empty makes a table `transactions` beside the features."
}

variable "kept_days" {
  type        = number
  default     = 730
  description = "After so many days partitions of features, predictions and purchases expire. Backfills and training read no further back."

  validation {
    condition     = var.kept_days >= 400
    error_message = "Windows reach 365 days back; training needs a month more."
  }
}

variable "redis_node_type" {
  type        = string
  default     = "REDIS_STANDARD_SMALL"
  description = "Of the store. `bnpl-features capacity --customers N` says how much memory is needed."
}

variable "redis_shards" {
  type        = number
  default     = 3
  description = "Primaries of the store; each has a replica in another zone."
}

variable "postgres_tier" {
  type        = string
  default     = "db-custom-2-8192"
  description = "The machine of Dagster's database."
}

variable "postgres_password" {
  type        = string
  ephemeral   = true
  sensitive   = true
  description = "Of Dagster's database user. It is written, never kept: put the same into the secret bnpl-pipeline."
}

variable "postgres_password_version" {
  type        = number
  default     = 1
  description = "Raise it to have a new postgres_password written."
}

variable "namespace" {
  type        = string
  default     = "bnpl-features"
  description = "The namespace of deploy/kubernetes."
}

variable "notification_channels" {
  type        = list(string)
  description = "Cloud Monitoring's channels that alerts of managed services go to, as projects/P/notificationChannels/N."
}
