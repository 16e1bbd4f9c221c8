variable "image_name" {
  type = string
}
variable "base_image" {
  type = string
}
variable "run" {
  type = string
}
variable "behaviour" {
  type    = string
  default = "ends well"
}

source "docker" "web" {
  image       = var.base_image
  pull        = false
  commit      = true
  run_command = ["-d", "-i", "-t", "--label", "steadfleet:run=${var.run}", "--entrypoint=/bin/sh", "--", "{{.Image}}"]
}

build {
  sources = ["source.docker.web"]
  provisioner "shell" {
    script           = "setup.sh"
    environment_vars = ["BEHAVIOUR=${var.behaviour}"]
  }
}
