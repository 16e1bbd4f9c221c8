locals {
  # Temporal Cloud has no permission between read and write: who polls, starts or approves needs write.
  # They are accounts of their own so that each can be revoked, and the audit log tells them apart.
  accounts = {
    workers   = { permission = "write", does = "Polls task queues; runs workflows and activities." }
    operators = { permission = "write", does = "Starts and steers campaigns, builds and drills by machine." }
    releases  = { permission = "write", does = "Makes a worker's version current, from the pipeline." }
    viewer    = { permission = "read", does = "Reads, for dashboards and doctor; changes nothing." }
  }

  keys = local.mtls ? {} : {
    for pair in setproduct(keys(local.accounts), keys(var.api_keys)) :
    "${pair[0]}/${pair[1]}" => { account = pair[0], generation = pair[1], end = var.api_keys[pair[1]] }
  }
}

resource "temporalcloud_service_account" "of" {
  for_each = local.mtls ? {} : local.accounts

  name        = "${temporalcloud_namespace.fleet.name}-${each.key}"
  description = each.value.does

  # Of this namespace alone: an account-wide role would reach every other environment.
  namespace_scoped_access = {
    namespace_id = temporalcloud_namespace.fleet.id
    permission   = each.value.permission
  }
}

resource "temporalcloud_apikey" "of" {
  for_each = local.keys

  display_name = "${temporalcloud_namespace.fleet.name}-${each.value.account}-${each.value.generation}"
  description  = "Steadfleet, generation ${each.value.generation}"
  owner_type   = "service-account"
  owner_id     = temporalcloud_service_account.of[each.value.account].id
  expiry_time  = each.value.end

  lifecycle {
    precondition {
      condition     = timecmp(each.value.end, timeadd(plantimestamp(), "${var.longest_key_days * 24}h")) <= 0
      error_message = "The keys of ${each.value.generation} would live longer than ${var.longest_key_days} days: choose an earlier end."
    }
  }
}
