"""Prints presigned addresses made by boto3: one line for a PUT, one for a GET with a replaced header."""

import sys

import boto3
from botocore.config import Config

endpoint, access_key, secret_key, bucket, key = sys.argv[1:]
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    aws_access_key_id=access_key,
    aws_secret_access_key=secret_key,
    region_name="us-east-1",
    config=Config(signature_version="s3v4"),
)
put = {"Bucket": bucket, "Key": key, "ContentType": "text/plain"}
get = {"Bucket": bucket, "Key": key, "ResponseContentType": "text/x-other"}
print(client.generate_presigned_url("put_object", Params=put, ExpiresIn=300))
print(client.generate_presigned_url("get_object", Params=get, ExpiresIn=300))
print(client.generate_presigned_url("get_object", Params=get, ExpiresIn=1))
