# The web service as a Docker image: a template for packer 1.6.6, or a later one with its Docker plugin.
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

# What is yours, given in spec.build.variables.

variable "release" {
  type        = string
  default     = "web/good-2.0"
  description = "The folder of the program, seen from that of the contract."
}

source "docker" "web" {
  image  = var.base_image
  pull   = false
  commit = true
  run_command = [
    "-d", "-i", "-t",
    "--label", "steadfleet:run=${var.run}",
    "--entrypoint=/bin/sh",
    "--", "{{.Image}}",
  ]
  # The image would keep the build's own /bin/sh: an empty ENTRYPOINT does not take it away.
  changes = [
    "WORKDIR /opt/machine",
    "ENV ADDRESS=0.0.0.0 PORT=8080",
    "EXPOSE 8080",
    "ENTRYPOINT [\"/opt/machine/run\"]",
  ]
}

build {
  sources = ["source.docker.web"]

  provisioner "file" {
    source      = var.release
    destination = "/tmp/machine"
  }

  provisioner "shell" {
    script = "image/install.sh"
  }
}
