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
_FORBIDDEN = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled")
CLOCK = "Set the clock of this host: `timedatectl set-ntp true`, then `timedatectl`."
KEYS = "Correct `access_key` and `secret_key`."
AGAIN = "Backups stay on this host, and the next run sends what is missing."

# Errors of the client: (its exceptions, what happened, what to do).
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
    ((Exception,), "The remote {name} failed: {said}.", AGAIN),
]

# What the storage answers: (its codes, what happened, what to do).
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_REFUSALS: list[tuple[tuple[str, ...], str, str]] = [
    (("NoSuchBucket",), "The remote {name} has no bucket {bucket}.", "Make it, or correct `bucket` or `endpoint_url`."),
    (("RequestTimeTooSkewed",), "The clock of this host is not the one of the remote {name}.", CLOCK),
    (("InvalidAccessKeyId",), "The remote {name} does not accept the access key.", KEYS),
    (("SignatureDoesNotMatch",), "The remote {name} does not accept the secret key.", KEYS),
    (
        ("ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
        "The remote {name} no longer accepts the token of this host's role.",
        AGAIN,
    ),
    (
        ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        "The bucket {bucket} of the remote {name} is in region {right}, not {region}.",
        "Correct `region`.",
    ),
    (
        ("locked",),
        "The remote {name} keeps what is to be deleted longer ({said}).",
        "Lock objects in the bucket for a shorter time than backups are kept.",
    ),
    (
        _FORBIDDEN,
        "The remote {name} forbids it ({said}): the key may not {operation} in {bucket}.",
        "Allow {action} there. A clock that is wrong can be refused so too.",
    ),
    (
        ("404", "NoSuchKey", "NoSuchVersion"),
        "The remote {name} does not hold what was asked for.",
        "List what is there.",
    ),
    (
        ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"),
        "The remote {name} received other bytes than were sent ({code}).",
        AGAIN,
    ),
    (
        ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504"),
        "The remote {name} is in trouble ({code}).",
        AGAIN,
    ),
]


def told(error: Exception, remote: Remote) -> BackupError:
    """The sentence for an error of botocore."""
    facts = {
        "name": remote.name,
        "bucket": remote.bucket,
        "region": remote.region,
        "place": remote.endpoint_url or f"Amazon S3 in {remote.region}",
        "said": _one_line(error),
    }
    if isinstance(error, client.ClientError):
        return _refused(error, facts)
    sentence, advice = next(rest for kinds, *rest in _FAULTS if isinstance(error, kinds))
    return BackupError(sentence.format(**facts), advice)


def _refused(error: client.ClientError, facts: dict[str, str]) -> BackupError:
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    facts |= {
        "code": code,
        "said": _one_line(answer.get("Message")) or code,
        "right": answer.get("Region") or headers.get("x-amz-bucket-region", "another one"),
        "operation": error.operation_name,
        "action": ACTIONS.get(error.operation_name, error.operation_name),
    }
    if code in _FORBIDDEN and "object lock" in facts["said"].lower():
        code = "locked"
    other = ("The remote {name} refuses {operation} ({code}): {said}.", AGAIN)
    sentence, advice = next((rest for codes, *rest in _REFUSALS if code in codes), other)
    return BackupError(sentence.format(**facts), advice.format(**facts))


def _one_line(text: object) -> str:
    return " ".join(str(text or "").split()).rstrip(".")[:300]
