"""What an operator needs around the DynamoDB store: policy, cost, template and construct.

Nothing here talks to AWS: it computes and prints. `cdk` alone needs the extra of the same name.
"""
