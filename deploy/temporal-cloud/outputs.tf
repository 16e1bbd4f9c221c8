output "namespace" {
  description = "TEMPORAL_NAMESPACE"
  value       = temporalcloud_namespace.fleet.id
}

output "address" {
  description = "TEMPORAL_ADDRESS"
  value = (
    local.mtls
    ? temporalcloud_namespace.fleet.endpoints.mtls_grpc_address
    : temporalcloud_namespace.fleet.endpoints.grpc_address
  )
}

output "api_keys" {
  description = "Keys by account and generation, such as workers/2026-11: hand them to the secret store, and nowhere else."
  value       = { for name, key in temporalcloud_apikey.of : name => key.token }
  sensitive   = true
}
