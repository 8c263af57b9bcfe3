"""What a real Alertmanager sends to a mail server, to Amazon SNS, Slack and Discord."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs

import boto3
from certificates import self_signed
from generated import alertmanager, hurry, write
from object_storage import ministack
from posted import posted
from programs import until
from smtp_catcher import relay

ARN = "arn:aws:sns:ap-northeast-2:123456789012:oncall"
MAIL = {"type": "email", "to": ["ops@example.com"], "sender": "Crowsnest <crowsnest@example.com>"}
ALERT = {
    "labels": {"alertname": "QueueTooLong", "severity": "critical", "test": "true", "queue": "@everyone <eu>"},
    "annotations": {"summary": "주문\r\nBcc: x@example.com 대기열 orders", "description": "*12* 건"},
}


def test_a_mail_relay_without_tls_gets_a_mail_whose_subject_is_one_line(tmp_path: Path) -> None:
    with relay() as server:
        receiver = {**MAIL, "smarthost": server.address, "require_tls": False}
        with alertmanager(write(tmp_path, {"receivers": [receiver], "language": "ko"})) as running:
            running.post([ALERT])
            until(lambda: server.messages, 30)
    (mail,) = server.messages
    assert mail["Subject"] == "[테스트] 🔴 [심각] 주문 Bcc: x@example.com 대기열 orders"
    assert mail["Bcc"] is None and mail["To"] == "ops@example.com"
    body = mail.get_body()
    assert body is not None and "*12* 건\n대상: queue=@everyone <eu>\n" in body.get_content().replace("\r\n", "\n")


def test_a_mail_server_gets_login_and_mail_after_starttls(tmp_path: Path) -> None:
    with relay(self_signed(tmp_path)) as server:
        receiver = {**MAIL, "smarthost": server.address, "require_tls": True, "username": "kim", "password": "hush"}
        folder = write(tmp_path, {"receivers": [receiver]})
        with alertmanager(folder, SSL_CERT_FILE=f"{folder}/public.pem") as running:
            running.post([ALERT])
            until(lambda: server.messages, 30)
    assert server.logins == [("kim", "hush")]
    assert server.messages[0]["From"] == "Crowsnest <crowsnest@example.com>"


def test_a_relay_without_tls_gets_nothing_when_tls_is_required_and_the_log_names_the_field(tmp_path: Path) -> None:
    with relay() as server:
        receiver = {**MAIL, "smarthost": server.address, "require_tls": True}
        with alertmanager(write(tmp_path, {"receivers": [receiver]})) as running:
            running.post([ALERT])
            log = tmp_path / "alertmanager.log"
            until(lambda: "require_tls" in log.read_text(), 30)
    assert server.messages == []


NOTICE = {
    "labels": {"alertname": "BackupDone", "severity": "none", "crowsnest_alert": "true", "app": "shop", "host": "web1"},
    "annotations": {"summary": "Backup done: shop", "description": "shop.sql.gz, 104.5MiB"},
}


def test_a_success_is_told_once_without_a_state_and_never_that_it_is_over(tmp_path: Path) -> None:
    """The team's own alert beside it is told to be over; when it is, the notice would have been, too."""
    own = {"labels": {"alertname": "Own", "severity": "high"}}
    with posted() as discord:
        receiver = {"type": "discord", "webhook_url": f"{discord.url}/api/webhooks/1/x"}
        write(tmp_path, {"receivers": [receiver]})
        hurry(tmp_path)
        with alertmanager(tmp_path) as running:
            running.post([NOTICE, own])
            until(lambda: len(discord.bodies) == 2, 30)
            running.post([{**each, "endsAt": "2026-11-28T00:00:00Z"} for each in (NOTICE, own)])
            until(lambda: len(discord.bodies) == 3, 30)
            until(lambda: not running.alerts(), 30)
    told = [embed for body in discord.bodies for embed in json.loads(body)["embeds"]]
    (notice,) = [embed for embed in told if "Backup" in embed["title"]]
    assert notice["title"] == "💾 Backup done: shop"
    assert notice["description"].startswith("shop.sql.gz, 104.5MiB\n[Dashboard](")
    assert "Silence" not in notice["description"] and "Since" not in notice["description"]


def test_a_message_arrives_at_what_subscribes_to_a_topic_of_sns(tmp_path: Path) -> None:
    with ministack("sns,sqs") as aws:
        keys = {"region_name": "ap-northeast-2", "aws_access_key_id": "kim", "aws_secret_access_key": "hush"}
        sns, sqs = (boto3.client(name, endpoint_url=aws.url, **keys) for name in ("sns", "sqs"))
        topic, queue = sns.create_topic(Name="oncall")["TopicArn"], sqs.create_queue(QueueName="phone")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        receiver = {"type": "sns", "topic_arn": topic, "access_key": "kim", "secret_key": "hush"}
        folder = write(tmp_path, {"receivers": [receiver]})
        own = {"AWS_ENDPOINT_URL_SNS": aws.url, "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/secrets/aws_credentials"}
        with alertmanager(folder, **own) as running:
            running.post([ALERT])
            (found,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), 30)
    message = json.loads(found["Body"])
    assert message["Subject"] == "[TEST] CRITICAL: Bcc: x@example.com orders"
    assert message["Message"].splitlines()[0] == "[TEST] 🔴 CRITICAL: 주문 Bcc: x@example.com 대기열 orders"


def test_sns_takes_the_subject_and_discord_sees_no_markup_of_others(tmp_path: Path) -> None:
    with posted() as sns, posted() as discord:
        declared = {
            "language": "ko",
            "receivers": [
                {"type": "sns", "topic_arn": ARN, "access_key": "AKIA", "secret_key": "hush"},
                {"type": "discord", "webhook_url": f"{discord.url}/api/webhooks/1/x"},
            ],
        }
        folder = write(tmp_path, declared)
        keys = {"AWS_ENDPOINT_URL_SNS": sns.url, "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/secrets/aws_credentials"}
        with alertmanager(folder, **keys) as running:
            running.post([ALERT])
            until(lambda: sns.bodies and discord.bodies, 30)
    form = {name: values[0] for name, values in parse_qs(sns.bodies[0]).items()}
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    assert form["Subject"] == "[TEST] CRITICAL: Bcc: x@example.com orders"
    assert re.fullmatch("[ -~]{1,99}", form["Subject"])
    assert form["Message"].startswith("[테스트] 🔴 [심각] 주문 Bcc: x@example.com 대기열 orders\n알림 경로를")
    payload = json.loads(discord.bodies[0])
    assert not payload.get("content"), "only there @everyone would call people"
    assert payload["embeds"][0]["description"].splitlines()[1:3] == [r"\*12\* 건", r"대상: queue=@everyone \<eu\>"]
