# Made-up names: put in yours.
account        = "a1b2c"
environment    = "staging"
regions        = ["aws-eu-central-1"]
retention_days = 7
codec_endpoint = "https://codec.staging.example.com"
api_keys       = { "2026-11" = "2027-02-15T00:00:00Z" }
