"""`posekit compare`: representations trained on the user's data under equal budgets, measured and told apart."""
