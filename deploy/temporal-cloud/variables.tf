variable "account" {
  description = "The account's id, the part of a namespace's name behind its point. Any other account is refused."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.account))
    error_message = "Expected the account's id alone, such as a1b2c."
  }
}

variable "environment" {
  description = "What this state holds: one environment, one namespace."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "Expected dev, staging or prod, as in STEADFLEET_ENVIRONMENT."
  }
}

variable "name" {
  description = "What the namespace's name begins with; the environment follows."
  type        = string
  default     = "fleet"
}

variable "regions" {
  description = "One region, or two for a replicated namespace. They cannot be changed afterwards."
  type        = list(string)

  validation {
    condition     = length(var.regions) >= 1 && length(var.regions) <= 2
    error_message = "Expected one region, or two for a replicated namespace."
  }
}

variable "retention_days" {
  description = "How long a closed campaign, build or drill can be looked at in Temporal. Reports in S3 outlive it."
  type        = number

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 90 && floor(var.retention_days) == var.retention_days
    error_message = "Expected whole days, 1 to 90."
  }
}

variable "delete_protection" {
  description = "Let Temporal Cloud refuse to delete the namespace. prod cannot be without."
  type        = bool
  default     = true
}

variable "authentication" {
  description = "How clients say who they are: api_key or mtls. One of them, so that the other is no back door."
  type        = string
  default     = "api_key"

  validation {
    condition     = contains(["api_key", "mtls"], var.authentication)
    error_message = "Expected api_key or mtls."
  }
}

variable "client_authority" {
  description = "With mtls: the PEM certificate of the authority that signs client certificates."
  type        = string
  default     = null

  validation {
    condition     = var.client_authority == null || can(regex("^-----BEGIN CERTIFICATE-----", var.client_authority))
    error_message = "Expected a PEM certificate. A private key has no place here."
  }
}

variable "client_names" {
  description = "With mtls: the common names that are let in. Empty lets in whatever the authority signed."
  type        = set(string)
  default     = []
}

variable "codec_endpoint" {
  description = "Where the codec server is, so that the web UI can show encrypted payloads to those allowed."
  type        = string

  validation {
    condition     = can(regex("^https://[^/]", var.codec_endpoint))
    error_message = "Expected an https:// address: browsers send it decoded payloads and a token."
  }
}

variable "api_keys" {
  description = "With api_key: generations of keys, each with its end. Two at a time while they are rotated."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for end in values(var.api_keys) : can(timeadd(end, "0s"))])
    error_message = "Expected a time for each generation, such as { \"2026-11\" = \"2027-02-15T00:00:00Z\" }."
  }
}

variable "longest_key_days" {
  description = "A key that would live longer than this is refused."
  type        = number
  default     = 90
}
