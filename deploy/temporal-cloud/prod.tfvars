# Made-up names: put in yours.
account        = "a1b2c"
environment    = "prod"
regions        = ["aws-eu-central-1", "aws-eu-west-1"]
retention_days = 30
codec_endpoint = "https://codec.example.com"
api_keys       = { "2026-11" = "2027-02-15T00:00:00Z" }
