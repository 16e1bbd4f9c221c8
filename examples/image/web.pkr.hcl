# The web service as an AMI: a template for packer 1.6.6 and later, to copy.
# What Steadfleet gives to every build; each must be declared, and used as below.

variable "image_name" {
  type = string
}

variable "base_image" {
  type = string
}

variable "run" {
  type        = string
  description = "Names the build: what a killed packer leaves is found by it."
}

variable "expires_at" {
  type        = string
  description = "When what is left of the build may be swept, as a tag says it."
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

# What it gives if it is declared.

variable "region" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_id" {
  type = string
}

variable "endpoint" {
  type        = string
  default     = ""
  description = "Of another EC2 than AWS's own: the local cloud's."
}

# What is yours, given in spec.build.variables.

variable "release" {
  type        = string
  default     = "web/good-2.0"
  description = "The folder of the program, seen from that of the contract."
}

variable "instance_type" {
  type    = string
  default = "t3.small"
}

variable "user" {
  type        = string
  default     = "root"
  description = "Who logs in to the base image by SSH: root in the local cloud, admin in Debian's AMIs."
}

locals {
  mine = {
    "steadfleet:run"        = var.run
    "steadfleet:expires-at" = var.expires_at
  }
}

source "amazon-ebs" "web" {
  region                      = var.region
  custom_endpoint_ec2         = var.endpoint
  skip_region_validation      = var.endpoint != ""
  skip_credential_validation  = var.endpoint != ""
  skip_metadata_api_check     = var.endpoint != ""
  vpc_id                      = var.vpc_id
  subnet_id                   = var.subnet_id
  security_group_id           = var.security_group_id
  source_ami                  = var.base_image
  instance_type               = var.instance_type
  associate_public_ip_address = false

  communicator         = "ssh"
  ssh_interface        = "private_ip"
  ssh_username         = var.user
  ssh_keypair_name     = var.ssh_keypair_name
  ssh_private_key_file = var.ssh_private_key_file

  ami_name        = var.image_name
  run_tags        = local.mine
  run_volume_tags = local.mine
  tags            = local.mine
  snapshot_tags   = local.mine
}

build {
  sources = ["source.amazon-ebs.web"]

  provisioner "file" {
    source      = var.release
    destination = "/tmp/machine"
  }

  provisioner "file" {
    source      = "image/web.service"
    destination = "/tmp/web.service"
  }

  provisioner "shell" {
    script          = "image/install.sh"
    execute_command = "chmod +x {{.Path}}; {{.Vars}} $([ $(id -u) = 0 ] || echo sudo -n) {{.Path}}"
  }
}
