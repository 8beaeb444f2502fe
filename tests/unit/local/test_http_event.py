"""The event that API Gateway makes of a request, and the response that it makes of a Lambda's answer."""

import base64

import pytest

from paydispatch.local.lambdas.http_event import BadAnswer, HttpRequest, http_event, http_response


def _request(**changes: object) -> HttpRequest:
    given = {
        "method": "POST",
        "path": "/v1/products",
        "query": "",
        "headers": (("Host", "127.0.0.1:8080"), ("User-Agent", "curl/8")),
        "body": b'{"a": 1}',
        "source_ip": "127.0.0.1",
    }
    return HttpRequest(**(given | changes))  # type: ignore[arg-type]


def test_a_request_becomes_a_payload_2_event() -> None:
    event = http_event(_request())
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/v1/products"
    assert event["body"] == '{"a": 1}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["stage"] == event["routeKey"] == "$default"
    assert context["http"] == {
        "method": "POST",
        "path": "/v1/products",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl/8",
    }


def test_header_names_are_lower_cased_and_repeated_headers_joined() -> None:
    event = http_event(_request(headers=(("X-Tag", "a"), ("x-tag", "b"))))
    assert event["headers"] == {"x-tag": "a,b"}


def test_cookies_leave_the_headers_for_a_list_of_their_own() -> None:
    event = http_event(_request(headers=(("Cookie", "a=1; b=2"),)))
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


def test_a_repeated_query_parameter_is_joined_and_the_raw_string_kept() -> None:
    event = http_event(_request(query="id=1&id=2&empty="))
    assert event["rawQueryString"] == "id=1&id=2&empty="
    assert event["queryStringParameters"] == {"id": "1,2", "empty": ""}


def test_a_body_that_is_not_utf_8_is_passed_as_base64() -> None:
    event = http_event(_request(body=b"\xff\xfe"))
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\xfe"


def test_absent_parts_of_a_request_are_not_in_the_event() -> None:
    event = http_event(_request(method="GET", body=b""))
    assert not {"body", "cookies", "queryStringParameters"} & event.keys()


def test_every_request_has_an_id_of_its_own() -> None:
    first, second = (http_event(_request())["requestContext"]["requestId"] for _ in range(2))
    assert first != second


def test_an_answer_becomes_a_response() -> None:
    response = http_response(
        {
            "statusCode": 202,
            "headers": {"Location": "/v1/requests/r"},
            "body": "é",
            "cookies": ["c"],
        }
    )
    assert response.status == 202
    assert response.headers == {"location": "/v1/requests/r", "content-type": "application/json"}
    assert response.body == "é".encode()
    assert response.cookies == ("c",)


def test_a_base64_answer_is_decoded() -> None:
    assert (
        http_response({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}).body == b"\xff"
    )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "ok",
        {},
        {"statusCode": "200"},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_an_invalid_answer_is_refused(answer: object) -> None:
    with pytest.raises(BadAnswer):
        http_response(answer)
