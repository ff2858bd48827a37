"""Batches in raw bytes: images of disks, block devices, files that were deleted or renamed."""
