# The image for both architectures: docker buildx bake. The release workflow pushes it (.github/workflows/release.yml).
variable "IMAGE" {
  default = "paceline"
}

variable "VERSION" {
  default = "dev"
}

# Of the commit, so that the same commit gives the same layers.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

group "default" {
  targets = ["image"]
}

target "image" {
  context    = "."
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  tags       = ["${IMAGE}:${VERSION}"]
  args = {
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
  labels = {
    "org.opencontainers.image.title"    = "paceline"
    "org.opencontainers.image.version"  = VERSION
    "org.opencontainers.image.licenses" = "Apache-2.0"
  }
}

# What is pushed tells how it was built, and what is in it, base image included.
target "release" {
  inherits = ["image"]
  attest   = ["type=provenance,mode=max", "type=sbom"]
}
