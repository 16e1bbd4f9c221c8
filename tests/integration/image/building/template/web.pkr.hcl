variable "image_name" {
  type = string
}
variable "base_image" {
  type = string
}
variable "run" {
  type = string
}
variable "expires_at" {
  type = string
}
variable "security_group_id" {
  type = string
}
variable "ssh_keypair_name" {
  type = string
}
variable "ssh_private_key_file" {
  type = string
}
variable "region" {
  type = string
}
variable "endpoint" {
  type    = string
  default = ""
}
variable "vpc_id" {
  type = string
}
variable "subnet_id" {
  type = string
}
variable "behaviour" {
  type    = string
  default = "ends well"
}

locals {
  mine = {
    "steadfleet:run"        = var.run
    "steadfleet:expires-at" = var.expires_at
  }
}

source "amazon-ebs" "web" {
  region                     = var.region
  custom_endpoint_ec2        = var.endpoint
  skip_region_validation     = true
  skip_credential_validation = true
  skip_metadata_api_check    = true
  vpc_id                     = var.vpc_id
  subnet_id                  = var.subnet_id
  security_group_id          = var.security_group_id
  source_ami                 = var.base_image
  instance_type              = "t3.small"
  ssh_interface              = "private_ip"
  ssh_username               = "root"
  ssh_keypair_name           = var.ssh_keypair_name
  ssh_private_key_file       = var.ssh_private_key_file
  ami_name                   = var.image_name
  run_tags                   = local.mine
  run_volume_tags            = local.mine
  tags                       = local.mine
  snapshot_tags              = local.mine
}

build {
  sources = ["source.amazon-ebs.web"]
  provisioner "shell" {
    script           = "setup.sh"
    environment_vars = ["BEHAVIOUR=${var.behaviour}"]
  }
}
