"""Object stores: Google Cloud Storage and S3, for the steps that read data or keep checkpoints there."""
