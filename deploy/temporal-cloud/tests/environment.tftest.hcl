# `tofu test` here: plans and mock applies, with the provider's schema and without an account.

mock_provider "temporalcloud" {
  mock_resource "temporalcloud_namespace" {
    defaults = {
      id = "fleet-prod.a1b2c"
      endpoints = {
        grpc_address      = "aws-eu-central-1.api.example.com:7233"
        mtls_grpc_address = "fleet-prod.a1b2c.example.com:7233"
        web_address       = "https://example.com/namespaces/fleet-prod.a1b2c"
      }
    }
  }
  mock_resource "temporalcloud_apikey" {
    defaults = { token = "a-mocked-key" }
  }
}

variables {
  account          = "a1b2c"
  environment      = "prod"
  regions          = ["aws-eu-central-1"]
  retention_days   = 30
  codec_endpoint   = "https://codec.example.com"
  api_keys         = { "a" = "2027-01-01T00:00:00Z", "b" = "2027-02-01T00:00:00Z" }
  longest_key_days = 36500
}

run "prod_is_protected_encrypted_and_kept" {
  assert {
    condition     = temporalcloud_namespace.fleet.name == "fleet-prod"
    error_message = "the namespace has another name"
  }
  assert {
    condition     = temporalcloud_namespace.fleet.namespace_lifecycle.enable_delete_protection
    error_message = "prod can be deleted"
  }
  assert {
    condition     = temporalcloud_namespace.fleet.retention_days == 30
    error_message = "the retention is not what was asked for"
  }
  assert {
    condition     = temporalcloud_namespace.fleet.codec_server.pass_access_token
    error_message = "the codec server would not know who asks"
  }
  assert {
    condition     = length(temporalcloud_namespace_search_attribute.of) == 9
    error_message = "search attributes are missing"
  }
}

run "an_environment_with_keys_takes_no_certificates" {
  assert {
    condition     = temporalcloud_namespace.fleet.api_key_auth && temporalcloud_namespace.fleet.accepted_client_ca == null
    error_message = "both ways in are open"
  }
  assert {
    condition     = output.address == "aws-eu-central-1.api.example.com:7233"
    error_message = "the address is not the one for API keys"
  }
}

run "accounts_reach_this_namespace_alone_and_the_viewer_only_reads" {
  assert {
    condition = {
      for name, account in temporalcloud_service_account.of : name => account.namespace_scoped_access.permission
    } == { workers = "write", operators = "write", releases = "write", viewer = "read" }
    error_message = "an account may more, or less, than it needs"
  }
  assert {
    condition = alltrue([
      for account in temporalcloud_service_account.of :
      account.account_access == null && account.namespace_scoped_access.namespace_id == "fleet-prod.a1b2c"
    ])
    error_message = "an account reaches beyond its namespace"
  }
}

run "each_account_has_a_key_of_each_generation_with_its_end" {
  assert {
    condition     = length(temporalcloud_apikey.of) == 8
    error_message = "two generations of four accounts are eight keys"
  }
  assert {
    condition     = temporalcloud_apikey.of["workers/b"].expiry_time == "2027-02-01T00:00:00Z"
    error_message = "a key has another end"
  }
  assert {
    condition     = nonsensitive(output.api_keys["viewer/a"]) == "a-mocked-key"
    error_message = "a key does not come out"
  }
}

run "a_key_that_lives_too_long_is_refused" {
  command = plan
  variables {
    api_keys         = { "a" = "9999-01-01T00:00:00Z" }
    longest_key_days = 90
  }
  expect_failures = [temporalcloud_apikey.of]
}

run "prod_without_delete_protection_is_refused" {
  command = plan
  variables {
    delete_protection = false
  }
  expect_failures = [temporalcloud_namespace.fleet]
}

run "prod_that_forgets_within_a_month_is_refused" {
  command = plan
  variables {
    retention_days = 29
  }
  expect_failures = [temporalcloud_namespace.fleet]
}

run "staging_may_forget_sooner" {
  command = plan
  variables {
    environment       = "staging"
    retention_days    = 7
    delete_protection = false
  }
  assert {
    condition     = temporalcloud_namespace.fleet.name == "fleet-staging" && temporalcloud_namespace.fleet.retention_days == 7
    error_message = "staging is not as asked for"
  }
}

run "an_environment_with_certificates_has_no_keys_and_no_accounts" {
  variables {
    authentication   = "mtls"
    client_authority = file("tests/authority.pem")
    client_names     = ["steadfleet-workers"]
    api_keys         = {}
  }
  assert {
    condition     = !temporalcloud_namespace.fleet.api_key_auth
    error_message = "a key would be let in"
  }
  assert {
    condition     = base64decode(temporalcloud_namespace.fleet.accepted_client_ca) == file("tests/authority.pem")
    error_message = "another authority is accepted"
  }
  assert {
    condition     = temporalcloud_namespace.fleet.certificate_filters[0].common_name == "steadfleet-workers"
    error_message = "whatever the authority signed is let in"
  }
  assert {
    condition     = length(temporalcloud_service_account.of) == 0 && length(temporalcloud_apikey.of) == 0
    error_message = "accounts or keys exist that nobody can use"
  }
  assert {
    condition     = output.address == "fleet-prod.a1b2c.example.com:7233"
    error_message = "the address is not the one for certificates"
  }
}

run "certificates_without_their_authority_are_refused" {
  command = plan
  variables {
    authentication = "mtls"
    api_keys       = {}
  }
  expect_failures = [temporalcloud_namespace.fleet]
}

run "keys_beside_certificates_are_refused" {
  command = plan
  variables {
    authentication   = "mtls"
    client_authority = file("tests/authority.pem")
  }
  expect_failures = [temporalcloud_namespace.fleet]
}

run "a_private_key_is_no_authority" {
  command = plan
  variables {
    authentication   = "mtls"
    client_authority = "-----BEGIN PRIVATE KEY-----"
    api_keys         = {}
  }
  expect_failures = [var.client_authority]
}

run "a_codec_server_in_clear_text_is_refused" {
  command = plan
  variables {
    codec_endpoint = "http://codec.example.com"
  }
  expect_failures = [var.codec_endpoint]
}
