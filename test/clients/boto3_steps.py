"""boto3 against a store, step by step: boto3_steps.py before|after SETTINGS

Prints a line of JSON for each step, {"step": name} or {"step": name, "failed": why}, and exits 0 if it came to
its end, whatever the steps said. SETTINGS names the files of the bodies and the odd keys. Credentials and the
endpoint come from the environment; nothing else is configured, so checksums are boto3's own defaults.
"""

import hashlib
import io
import json
import sys
import traceback

import boto3
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
half, settings_path = sys.argv[1:]
with open(settings_path, encoding="utf-8") as file:
    settings = json.load(file)
s3 = boto3.client("s3")
resource = boto3.resource("s3")
# What boto3 signs in advance it signs with version 2 unless it is told.
signer = boto3.client("s3", config=Config(signature_version="s3v4"))
http = urllib3.PoolManager(retries=False)
steps = {"before": [], "after": []}


def step(name, when="before"):
    def register(work):
        steps[when].append((name, work))
        return work

    return register


def expect(actual, wanted):
    assert actual == wanted, f"{actual!r:.300} instead of {wanted!r:.300}"


def refused(code, status, call, **arguments):
    """The call fails with just this error."""
    try:
        call(**arguments)
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        expect(got, (code, status))
        return
    raise AssertionError(f"{code} was expected, and it succeeded")


def content(bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def body(name):
    [path] = [each["path"] for each in settings["bodies"] if each["name"] == name]
    with open(path, "rb") as opened:
        return opened.read()


@step("create_bucket, list_buckets, head_bucket, get_bucket_location")
def _():
    for bucket in ["plain", "odd-keys", "versioned"]:
        s3.create_bucket(Bucket=bucket)
    expect([each["Name"] for each in s3.list_buckets()["Buckets"]], ["odd-keys", "plain", "versioned"])
    s3.head_bucket(Bucket="plain")
    expect(s3.get_bucket_location(Bucket="plain").get("LocationConstraint"), None)
    refused("404", 404, s3.head_bucket, Bucket="not-there")


@step("put_object and get_object of 0 B, 1 KiB and 20 MiB, with the checksums that nobody asked for")
def _():
    for each in settings["bodies"]:
        wanted = body(each["name"])
        put = s3.put_object(Bucket="plain", Key=each["name"], Body=wanted)
        assert "ChecksumCRC32" in put or "ChecksumCRC64NVME" in put, put
        got = s3.get_object(Bucket="plain", Key=each["name"])
        expect(got["ContentLength"], len(wanted))
        assert got["Body"].read() == wanted, "other bytes came back"
        head = s3.head_object(Bucket="plain", Key=each["name"], ChecksumMode="ENABLED")
        for name in ["ChecksumCRC32", "ChecksumCRC64NVME"]:
            expect(head.get(name), put.get(name))


@step("a range, and a body read in pieces")
def _():
    wanted = body("20MiB")
    got = content("plain", "20MiB", Range="bytes=1048575-3000000")
    assert got == wanted[1048575:3000001], "other bytes came back"
    pieces = s3.get_object(Bucket="plain", Key="20MiB")["Body"].iter_chunks(70_001)
    assert b"".join(pieces) == wanted, "other bytes came back in pieces"


class OnlyRead:
    """A source that can neither be rewound nor measured."""

    def __init__(self, data):
        self.source = io.BytesIO(data)

    def read(self, size=-1):
        return self.source.read(size)


@step("the transfer manager: upload_fileobj and download_fileobj in parts of 8 MiB")
def _():
    wanted = body("20MiB")
    for name, source in [("file", io.BytesIO(wanted)), ("stream", OnlyRead(wanted))]:
        key = f"managed/{name}"
        s3.upload_fileobj(source, "plain", key, ExtraArgs={"Metadata": {"colour": "blue green"}})
        head = s3.head_object(Bucket="plain", Key=key, PartNumber=1)
        expect(head["PartsCount"], 3)
        expect(head["Metadata"], {"colour": "blue green"})
        target = io.BytesIO()
        s3.download_fileobj("plain", key, target)
        assert target.getvalue() == wanted, "other bytes came back"


@step("the transfer manager with other settings, upload_file and download_file")
def _():
    [path] = [each["path"] for each in settings["bodies"] if each["name"] == "20MiB"]
    config = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        extra = {"ChecksumAlgorithm": algorithm}
        s3.upload_file(path, "plain", f"summed/{algorithm}", ExtraArgs=extra, Config=config)
        head = s3.head_object(Bucket="plain", Key=f"summed/{algorithm}", ChecksumMode="ENABLED")
        assert f"Checksum{algorithm}" in head, head
    s3.download_file("plain", "summed/SHA256", f"{path}.back", Config=config)
    with open(f"{path}.back", "rb") as back:
        assert back.read() == body("20MiB"), "other bytes came back"


@step("an upload by hand: parts in any order, listed, aborted; completed with what was listed")
def _():
    target = {"Bucket": "plain", "Key": "by hand/%2e"}
    upload = s3.create_multipart_upload(**target)["UploadId"]
    for number, size in [(2, 1000), (1, 5 * MIB)]:
        part = bytes([number]) * size
        s3.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)
    [listed] = s3.list_multipart_uploads(Bucket="plain")["Uploads"]
    expect((listed["Key"], listed["UploadId"]), (target["Key"], upload))
    parts = s3.list_parts(**target, UploadId=upload)["Parts"]
    expect([each["Size"] for each in parts], [5 * MIB, 1000])
    chosen = [{name: each[name] for name in ["PartNumber", "ETag"]} for each in parts]
    s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": chosen})
    assert content(target["Bucket"], target["Key"]) == b"\1" * 5 * MIB + b"\2" * 1000
    other = s3.create_multipart_upload(**target)["UploadId"]
    s3.abort_multipart_upload(**target, UploadId=other)
    refused("NoSuchUpload", 404, s3.list_parts, **target, UploadId=other)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="plain")


@step("odd keys are put, come back, are copied, and are listed in order, in pages")
def _():
    keys = settings["keys"]
    for key in keys:
        s3.put_object(Bucket="odd-keys", Key=key, Body=f"body of {key}".encode())
        expect(content("odd-keys", key).decode(), f"body of {key}")
    for key in keys:
        source = {"Bucket": "odd-keys", "Key": key}
        s3.copy_object(Bucket="plain", Key="copied odd", CopySource=source)
        expect(content("plain", "copied odd").decode(), f"body of {key}")
    for operation in ["list_objects_v2", "list_objects"]:
        pages = s3.get_paginator(operation).paginate(Bucket="odd-keys", PaginationConfig={"PageSize": 7})
        expect([each["Key"] for page in pages for each in page.get("Contents", [])], keys)


@step("copies: within a bucket, with other metadata, of a range, in parts")
def _():
    told = {"ContentType": "text/x-thermocline", "Metadata": {"depth": "12"}}
    s3.put_object(Bucket="plain", Key="told", Body=b"told", Tagging="kind=first", **told)
    source = {"Bucket": "plain", "Key": "told"}
    s3.copy_object(Bucket="odd-keys", Key="copies/same", CopySource=source)
    same = s3.get_object(Bucket="odd-keys", Key="copies/same")
    expect((same["ContentType"], same["Metadata"], same["Body"].read()), (*told.values(), b"told"))
    expect(tags("odd-keys", "copies/same"), {"kind": "first"})
    changed = {"MetadataDirective": "REPLACE", "Metadata": {"depth": "13"}, "ContentType": "text/plain"}
    s3.copy_object(Bucket="plain", Key="told", CopySource=source, **changed)
    expect(s3.head_object(Bucket="plain", Key="told")["Metadata"], {"depth": "13"})
    refused("InvalidRequest", 400, s3.copy_object, Bucket="plain", Key="told", CopySource=source)
    config = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=8 * MIB)
    s3.copy({"Bucket": "plain", "Key": "20MiB"}, "odd-keys", "copies/in parts", Config=config)
    assert content("odd-keys", "copies/in parts") == body("20MiB"), "other bytes were copied"
    s3.copy({"Bucket": "plain", "Key": "20MiB"}, "odd-keys", "copies/at once")
    assert content("odd-keys", "copies/at once") == body("20MiB"), "other bytes were copied"
    for key in ["copies/same", "copies/in parts", "copies/at once"]:
        s3.delete_object(Bucket="odd-keys", Key=key)


def tags(bucket, key):
    return {each["Key"]: each["Value"] for each in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}


@step("tagging of objects and buckets")
def _():
    target = {"Bucket": "plain", "Key": "tagged"}
    s3.put_object(**target, Body=b"tagged", Tagging="a=1&b%20c=%2B%40%3D")
    expect(tags("plain", "tagged"), {"a": "1", "b c": "+@="})
    expect(s3.get_object(**target)["TagCount"], 2)
    s3.put_object_tagging(**target, Tagging={"TagSet": [{"Key": "ü", "Value": "é é"}]})
    expect(tags("plain", "tagged"), {"ü": "é é"})
    s3.delete_object_tagging(**target)
    expect(tags("plain", "tagged"), {})
    many = [{"Key": str(at), "Value": ""} for at in range(11)]
    refused("BadRequest", 400, s3.put_object_tagging, **target, Tagging={"TagSet": many})
    s3.put_bucket_tagging(Bucket="plain", Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
    expect(s3.get_bucket_tagging(Bucket="plain")["TagSet"], [{"Key": "team", "Value": "blue"}])
    s3.delete_bucket_tagging(Bucket="plain")
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket="plain")


@step("versions: enabled, read by id, marked as deleted, brought back, suspended")
def _():
    target = {"Bucket": "versioned", "Key": "versions/ \U0001f986+&"}
    s3.put_object(**target, Body=b"before")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    expect(s3.get_bucket_versioning(Bucket="versioned")["Status"], "Enabled")
    first, second = [s3.put_object(**target, Body=text)["VersionId"] for text in [b"first", b"second"]]
    read = lambda version: s3.get_object(**target, VersionId=version)["Body"].read()
    expect([read(version) for version in ["null", first, second]], [b"before", b"first", b"second"])
    deleted = s3.delete_object(**target)
    expect(deleted["DeleteMarker"], True)
    refused("NoSuchKey", 404, s3.get_object, **target)
    refused("MethodNotAllowed", 405, s3.get_object, **target, VersionId=deleted["VersionId"])
    listed = s3.list_object_versions(Bucket="versioned")
    expect([each["VersionId"] for each in listed["Versions"]], [second, first, "null"])
    expect([each["IsLatest"] for each in listed["DeleteMarkers"]], [True])
    s3.delete_object(**target, VersionId=deleted["VersionId"])
    expect(s3.get_object(**target)["Body"].read(), b"second")
    s3.copy_object(**target, CopySource={**target, "VersionId": first})
    expect(s3.get_object(**target)["Body"].read(), b"first")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(**target, Body=b"suspended")
    expect(read("null"), b"suspended")
    expect(len(s3.list_object_versions(Bucket="versioned")["Versions"]), 4)
    refused("NoSuchVersion", 404, s3.get_object, **target, VersionId=deleted["VersionId"])


@step("conditions: IfNoneMatch and IfMatch on reads, writes and Complete")
def _():
    target = {"Bucket": "plain", "Key": "conditional"}
    etag = s3.put_object(**target, Body=b"one", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, **target, Body=b"two", IfNoneMatch="*")
    refused("304", 304, s3.get_object, **target, IfNoneMatch=etag)
    refused("PreconditionFailed", 412, s3.get_object, **target, IfMatch='"other"')
    s3.put_object(**target, Body=b"three", IfMatch=etag)
    refused("PreconditionFailed", 412, s3.put_object, **target, Body=b"four", IfMatch=etag)
    expect(content("plain", "conditional"), b"three")
    upload = s3.create_multipart_upload(**target)["UploadId"]
    part = s3.upload_part(**target, UploadId=upload, PartNumber=1, Body=b"five")
    chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    complete = {**target, "UploadId": upload, "MultipartUpload": chosen, "IfNoneMatch": "*"}
    refused("PreconditionFailed", 412, s3.complete_multipart_upload, **complete)
    expect(content("plain", "conditional"), b"three")
    s3.abort_multipart_upload(**target, UploadId=upload)
    absent = {"Bucket": "plain", "Key": "not there"}
    refused("NoSuchKey", 404, s3.put_object, **absent, Body=b"", IfMatch=etag)


@step("what is sent once is told apart from what is not there: a second transfer has nothing to send")
def _():
    for each in settings["bodies"]:
        target = {"Bucket": "plain", "Key": f"sent once/{each['name']}"}
        wanted = body(each["name"])
        refused("404", 404, s3.head_object, **target)
        etag = s3.put_object(**target, Body=wanted, IfNoneMatch="*")["ETag"]
        expect(etag, '"' + hashlib.md5(wanted).hexdigest() + '"')
    for each in settings["bodies"]:
        target = {"Bucket": "plain", "Key": f"sent once/{each['name']}"}
        wanted = body(each["name"])
        etag = '"' + hashlib.md5(wanted).hexdigest() + '"'
        refused("304", 304, s3.head_object, **target, IfNoneMatch=etag)
        refused("304", 304, s3.get_object, **target, IfNoneMatch=etag)
        refused("PreconditionFailed", 412, s3.put_object, **target, Body=b"other", IfNoneMatch="*")
        changed = s3.head_object(**target, IfNoneMatch='"other"')
        expect((changed["ContentLength"], changed["ETag"]), (len(wanted), etag))
        assert content(target["Bucket"], target["Key"]) == wanted, "other bytes came back"


def post(form, data, **fields):
    every = {**form["fields"], **fields, "file": ("a file.bin", data, "application/x-thing")}
    return http.request("POST", form["url"], fields=every)


@step("generate_presigned_post: a form is taken as its policy says, and no other")
def _():
    key = "posted/ ü+&%2e%2e"
    limits = [["content-length-range", 1, 3 * MIB], ["starts-with", "$x-amz-meta-colour", "b"]]
    form = signer.generate_presigned_post("plain", key, Conditions=limits, ExpiresIn=300)
    data = body("20MiB")[: 2 * MIB]
    taken = post(form, data, **{"x-amz-meta-colour": "blue"})
    expect((taken.status, taken.data), (204, b""))
    got = s3.get_object(Bucket="plain", Key=key)
    expect(got["Metadata"], {"colour": "blue"})
    assert got["Body"].read() == data, "other bytes came back"
    for why, answer in {
        "EntityTooLarge": post(form, body("20MiB"), **{"x-amz-meta-colour": "blue"}),
        "EntityTooSmall": post(form, b"", **{"x-amz-meta-colour": "blue"}),
        "AccessDenied": post(form, data, **{"x-amz-meta-colour": "red"}),
    }.items():
        assert answer.status in (400, 403), (why, answer.status)
        assert f"<Code>{why}</Code>".encode() in answer.data, (why, answer.data)
    assert content("plain", key) == data, "a refused form changed the object"
    status = {"success_action_status": "201"}
    named = signer.generate_presigned_post("plain", "posted/${filename}", status, [status])
    made = post(named, b"named")
    expect(made.status, 201)
    assert b"<Key>posted/a file.bin</Key>" in made.data, made.data
    expect(content("plain", "posted/a file.bin"), b"named")


@step("forms and addresses that are signed with version 2 are refused by name")
def _():
    old = post(s3.generate_presigned_post("plain", "posted"), b"old")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "plain", "Key": "told"})
    for answer in [old, http.request("GET", url)]:
        expect(answer.status, 400)
        assert b"<Code>InvalidRequest</Code>" in answer.data, answer.data
        assert b"Please use AWS4-HMAC-SHA256" in answer.data, answer.data


@step("generate_presigned_url, for a PUT, a GET and a DELETE")
def _():
    target = {"Bucket": "plain", "Key": "presigned/ +&%2e%2e/\U0001f986"}
    for method, operation, status in [("PUT", "put", 200), ("GET", "get", 200), ("DELETE", "delete", 204)]:
        url = signer.generate_presigned_url(f"{operation}_object", Params=target, ExpiresIn=300)
        answer = http.request(method, url, body=b"signed" if method == "PUT" else None)
        expect(answer.status, status)
        if method == "GET":
            expect(answer.data, b"signed")
    refused("NoSuchKey", 404, s3.get_object, **target)


@step("get_object_attributes, waiters, and errors by their class")
def _():
    attributes = ["ETag", "Checksum", "ObjectSize", "ObjectParts", "StorageClass"]
    told = s3.get_object_attributes(Bucket="plain", Key="managed/file", ObjectAttributes=attributes)
    expect((told["ObjectSize"], told["ObjectParts"]["TotalPartsCount"]), (20 * MIB, 3))
    s3.get_waiter("object_exists").wait(Bucket="plain", Key="told")
    s3.get_waiter("object_not_exists").wait(Bucket="plain", Key="never told")
    try:
        s3.get_object(Bucket="plain", Key="never told")
        raise AssertionError("there is nothing")
    except s3.exceptions.NoSuchKey:
        pass
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket="not-there")
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="plain")


@step("after kill -9 and a restart every body is there", "after")
def _():
    for each in settings["bodies"]:
        assert content("plain", each["name"]) == body(each["name"]), each["name"]
    for key in ["managed/file", "managed/stream"]:
        assert content("plain", key) == body("20MiB"), key
    expect(len(s3.list_object_versions(Bucket="versioned")["Versions"]), 4)


@step("everything is deleted many at a time, every version too, then the buckets", "after")
def _():
    chosen = {"Objects": [{"Key": key} for key in settings["keys"]]}
    answer = s3.delete_objects(Bucket="odd-keys", Delete=chosen)
    assert "Errors" not in answer, answer
    expect({each["Key"] for each in answer["Deleted"]}, set(settings["keys"]))
    expect(s3.list_objects_v2(Bucket="odd-keys")["KeyCount"], 0)
    resource.Bucket("plain").objects.all().delete()
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="versioned")
    resource.Bucket("versioned").object_versions.all().delete()
    for bucket in ["plain", "odd-keys", "versioned"]:
        s3.delete_bucket(Bucket=bucket)
    expect(s3.list_buckets()["Buckets"], [])


def main():
    for name, work in steps[half]:
        outcome = {"step": name}
        try:
            work()
        except Exception:  # Whatever it is, the next step has its turn.
            outcome["failed"] = traceback.format_exc(limit=-3)
        print(json.dumps(outcome), flush=True)


main()
