terraform {
  required_version = ">= 1.8.0"

  required_providers {
    temporalcloud = {
      source  = "temporalio/temporalcloud"
      version = "~> 1.3"
    }
  }
}

# The key of who runs this comes from TEMPORAL_CLOUD_API_KEY.
provider "temporalcloud" {
  allowed_account_id = var.account
}
