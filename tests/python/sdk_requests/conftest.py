"""What has to be said before the SageMaker SDK is imported."""

import os

os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
