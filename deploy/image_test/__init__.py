"""`make image-test`: builds the image and runs it as an orchestrator would, without a Docker daemon.

Law: the standard library, `tests/support/process_tree`, and Debian's tools: buildah builds (chroot
isolation), bubblewrap runs (read-only root, the image's user, no capabilities), mmdebstrap makes the base
image and a Debian 13 with docker-compose and kubectl.
"""
