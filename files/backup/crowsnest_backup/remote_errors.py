# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What object storage and its client complain about, in one sentence and with what to do. No secret is in one."""

from __future__ import annotations

from botocore import exceptions as client

from crowsnest_backup.errors import BackupError
from crowsnest_backup.settings import Remote

# What a key must be allowed to do, by the request that was refused.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "DeleteObject": "s3:DeleteObject and s3:DeleteObjectVersion",
}
_WRONG_REGION = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
_FORBIDDEN = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled")
_DAMAGED = ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch")
_BUSY = ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504")
CLOCK = "Set the clock of this host: `timedatectl set-ntp true`, then `timedatectl`."
AGAIN = "The backup stays on this host; the next run sends what is missing."


def told(error: Exception, remote: Remote) -> BackupError:
    """The sentence for an error of botocore."""
    if isinstance(error, client.ClientError):
        return _refused(error, remote)
    for kinds, sentence, advice in _FAULTS:
        if isinstance(error, kinds):
            return BackupError(_about(sentence, remote), advice)
    return BackupError(f"The remote {remote.name} failed: {_one_line(error)}.", AGAIN)


_FAULTS: list[tuple[tuple[type[Exception], ...], str, str]] = [
    (
        (client.NoCredentialsError, client.PartialCredentialsError, client.CredentialRetrievalError),
        "There is no access key for the remote {name}, and this host has no role that gives one.",
        "Declare `access_key` and `secret_key` of it, or give the host a role.",
    ),
    (
        (client.ConnectTimeoutError, client.EndpointConnectionError, client.ProxyConnectionError),
        "The remote {name} cannot be reached at {place}.",
        "Look whether this host may connect there (firewall, name, port). " + AGAIN,
    ),
    (
        (client.SSLError,),
        "The remote {name} at {place} offers no connection that this host trusts.",
        "Correct `endpoint_url`, or the certificate there.",
    ),
    ((client.ReadTimeoutError,), "The remote {name} at {place} does not answer in time.", AGAIN),
    (
        (client.HTTPClientError, client.IncompleteReadError),
        "The connection to the remote {name} at {place} breaks off.",
        AGAIN,
    ),
    (
        (client.ParamValidationError, client.InvalidRegionError, client.InvalidEndpointConfigurationError, ValueError),
        "The declaration of the remote {name} is no address of a bucket: {bucket} at {place}.",
        "Correct `bucket`, `region` or `endpoint_url`.",
    ),
]


def _refused(error: client.ClientError, remote: Remote) -> BackupError:
    """What the storage answered with an error code.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    answer = error.response.get("Error", {})
    code, said = str(answer.get("Code", "")), _one_line(answer.get("Message", ""))
    name, bucket = remote.name, remote.bucket
    if code == "NoSuchBucket":
        return BackupError(
            f"The remote {name} has no bucket {bucket}.", "Make the bucket, or correct `bucket` or `endpoint_url`."
        )
    if code == "RequestTimeTooSkewed":
        return BackupError(f"The clock of this host is not the one of the remote {name}.", CLOCK)
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        what = "access" if code == "InvalidAccessKeyId" else "secret"
        advice = "Correct `access_key` and `secret_key`."
        return BackupError(f"The remote {name} does not accept the {what} key.", advice)
    if code in ("ExpiredToken", "InvalidToken", "TokenRefreshRequired"):
        return BackupError(f"The remote {name} no longer accepts the token of this host's role.", AGAIN)
    if code in _WRONG_REGION:
        right = answer.get("Region") or error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(
            "x-amz-bucket-region", "another one"
        )
        return BackupError(
            f"The bucket {bucket} of the remote {name} is in region {right}, not {remote.region}.", "Correct `region`."
        )
    if code in _FORBIDDEN and "object lock" in said.lower():
        return BackupError(
            f"The remote {name} keeps what is to be deleted longer ({said}).",
            "Lock objects in the bucket for a shorter time than backups are kept.",
        )
    if code in _FORBIDDEN:
        action = ACTIONS.get(error.operation_name, error.operation_name)
        return BackupError(
            f"The remote {name} forbids it ({said or code}): the key may not {error.operation_name} in {bucket}.",
            f"Allow {action} there. A clock that is wrong can be refused so too.",
        )
    if code in ("404", "NoSuchKey", "NoSuchVersion"):
        return BackupError(f"The remote {name} does not hold what was asked for.", "List what is there.")
    if code in _DAMAGED:
        return BackupError(f"The remote {name} received other bytes than were sent ({code}).", AGAIN)
    if code in _BUSY:
        return BackupError(f"The remote {name} is in trouble ({code}).", AGAIN)
    return BackupError(f"The remote {name} refuses {error.operation_name} ({code}): {said}.", AGAIN)


def _about(text: str, remote: Remote) -> str:
    place = remote.endpoint_url or f"Amazon S3 in {remote.region}"
    return text.format(name=remote.name, bucket=remote.bucket, place=place)


def _one_line(text: object) -> str:
    return " ".join(str(text).split()).rstrip(".")[:300]
