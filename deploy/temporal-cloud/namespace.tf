locals {
  mtls = var.authentication == "mtls"

  # What `campaign list`, `image list`, `drill list` and the web UI's filters read.
  search_attributes = {
    SfState   = "keyword"
    SfFleet   = "keyword"
    SfWave    = "int"
    SfChanged = "int"
    SfFailed  = "int"
    SfReason  = "text"
    SfFamily  = "keyword"
    SfVersion = "keyword"
    SfPlan    = "keyword"
  }
}

resource "temporalcloud_namespace" "fleet" {
  name           = "${var.name}-${var.environment}"
  regions        = var.regions
  retention_days = var.retention_days

  api_key_auth       = !local.mtls
  accepted_client_ca = local.mtls && var.client_authority != null ? base64encode(var.client_authority) : null
  certificate_filters = local.mtls && length(var.client_names) > 0 ? [
    for name in sort(var.client_names) : { common_name = name }
  ] : null

  codec_server = {
    endpoint          = var.codec_endpoint
    pass_access_token = true
  }

  namespace_lifecycle = {
    enable_delete_protection = var.delete_protection
  }

  lifecycle {
    precondition {
      condition     = var.environment != "prod" || var.delete_protection
      error_message = "prod without delete protection: remove delete_protection = false."
    }
    precondition {
      condition     = var.environment != "prod" || var.retention_days >= 30
      error_message = "prod keeps what was done for at least 30 days: raise retention_days."
    }
    precondition {
      condition     = local.mtls == (var.client_authority != null)
      error_message = "authentication = \"mtls\" needs client_authority, and only mtls has a use for it."
    }
    precondition {
      condition     = !local.mtls || length(var.api_keys) == 0
      error_message = "A namespace with mtls takes no API keys: remove api_keys."
    }
  }
}

resource "temporalcloud_namespace_search_attribute" "of" {
  for_each = local.search_attributes

  namespace_id = temporalcloud_namespace.fleet.id
  name         = each.key
  type         = each.value
}
