"""The Dispatcher that programs use: the SDK's, with two ways to the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from paydispatch.sdk import dispatcher
from paydispatch.sdk.dispatcher import BUFFER_SIZE, DELIVERY_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from httpx import Auth

    from paydispatch.sdk.outcome import OutcomeReader


class Dispatcher(dispatcher.Dispatcher):
    """Sends requests to the queue in the background: `from_env` straight to SQS, `http` through the HTTP API.

        with Dispatcher.from_env():
            new_product().name("Tea").create_async("worker-1", "context-1", "sk_test_...")

    Each of the two methods imports the clients that it needs, and no others.
    """

    @classmethod
    def from_env(
        cls,
        *,
        buffer_size: int = BUFFER_SIZE,
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
        warm: Iterable[str] = (),
        status_url: str | None = None,
        status_auth: Auth | str | None = None,
    ) -> Self:
        """Return a Dispatcher that sends straight to SQS.

        Reads REQUEST_QUEUE_URL, BATCH_QUEUE_URL, SEALING_KEY_ID, STRIPE_API_VERSION and AWS's own variables.

        `buffer_size`: the requests that may wait for the queue. The next one raises `BufferFull`.
        `delivery_timeout_s`: how long a request is sent again while the queue is unreachable, and the bound of `close`
        and `flush`.
        `warm`: names of operations whose schemas are compiled at the start.
        `status_url`, `status_auth`: the HTTP API for `Receipt.outcome`, by default PAYDISPATCH_API_URL with the token
        in PAYDISPATCH_TOKEN. It must serve the queue's tenant, as IAM users of the same AWS account do.

        Raises `BadSetting`, and `UnknownOperation` for `warm`.
        """
        from paydispatch.adapters.aws.sqs_delivery import sqs_delivery
        from paydispatch.settings import SdkSettings

        settings = SdkSettings.from_env()
        delivery = sqs_delivery(
            settings.queue_urls,
            settings.sealing_key_id,
            stripe_api_version=settings.stripe_api_version,
        )
        api_url = status_url or settings.api_url
        return cls(
            delivery,
            buffer_size=buffer_size,
            delivery_timeout_s=delivery_timeout_s,
            warm=warm,
            outcomes=_reader(api_url, status_auth or settings.api_token) if api_url else None,
        )

    @classmethod
    def http(
        cls,
        base_url: str,
        *,
        auth: Auth | str | None = None,
        buffer_size: int = BUFFER_SIZE,
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
        warm: Iterable[str] = (),
    ) -> Self:
        """Return a Dispatcher that sends through the HTTP API at `base_url`.

        `auth` is an `httpx.Auth`, or a text that is sent as a bearer token. The other options are those of `from_env`.
        Reads STRIPE_API_VERSION. Raises `BadSetting` if keys would go to `base_url` unencrypted.
        """
        from paydispatch.adapters.http_delivery import HttpDelivery
        from paydispatch.settings import stripe_api_version

        return cls(
            HttpDelivery(base_url, auth=auth, stripe_api_version=stripe_api_version()),
            buffer_size=buffer_size,
            delivery_timeout_s=delivery_timeout_s,
            warm=warm,
            outcomes=_reader(base_url, auth),
        )


def _reader(base_url: str, auth: Auth | str | None) -> OutcomeReader:
    from paydispatch.adapters.http_outcomes import HttpOutcomeReader

    return HttpOutcomeReader(base_url, auth=auth)
