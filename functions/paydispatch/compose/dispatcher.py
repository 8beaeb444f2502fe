"""The Dispatcher that programs use: the SDK's, with two ways to the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from paydispatch.sdk import dispatcher

if TYPE_CHECKING:
    from httpx import Auth


class Dispatcher(dispatcher.Dispatcher):
    """Sends requests to the queue in the background: `from_env` straight to SQS, `http` through the HTTP API.

        with Dispatcher.from_env():
            new_product().name("Tea").create_async("worker-1", "context-1", "sk_test_...")

    Each of the two methods imports the clients that it needs, and no others.
    """

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Return a Dispatcher that sends straight to SQS.

        Reads REQUEST_QUEUE_URL, BATCH_QUEUE_URL, SEALING_KEY_ID, STRIPE_API_VERSION and AWS's own variables. `options`
        are those of the SDK's Dispatcher: `buffer_size` in requests, `delivery_timeout_s` in seconds, and `warm`, the
        names of operations whose schemas are compiled at the start. Raises `BadSetting`, and `UnknownOperation` for
        `warm`.
        """
        from paydispatch.adapters.aws.sqs_delivery import sqs_delivery
        from paydispatch.settings import SdkSettings

        settings = SdkSettings.from_env()
        delivery = sqs_delivery(
            settings.queue_urls,
            settings.sealing_key_id,
            stripe_api_version=settings.stripe_api_version,
        )
        return cls(delivery, **options)

    @classmethod
    def http(cls, base_url: str, *, auth: Auth | str | None = None, **options: Any) -> Self:
        """Return a Dispatcher that sends through the HTTP API at `base_url`.

        `auth` is an `httpx.Auth`, or a text that is sent as a bearer token. `options` are those of `from_env`. Reads
        STRIPE_API_VERSION. Raises `BadSetting` if keys would go to `base_url` unencrypted.
        """
        from paydispatch.adapters.http_delivery import HttpDelivery
        from paydispatch.settings import stripe_api_version

        delivery = HttpDelivery(base_url, auth=auth, stripe_api_version=stripe_api_version())
        return cls(delivery, **options)
