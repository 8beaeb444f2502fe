#!/bin/sh
# Submit a month's renewals and wait for the outcomes: ./renewals.sh renewals.csv [--plan]
file=$1
shift
exec "${PYTHON:-python}" -m paydispatch submit "$file" --worker-id shop --operation create_payment_intent \
  --map context_id=Contract --map 'metadata[contract]=Contract' --map amount=Amount \
  --map payment_method=Card --map idempotency_key=Key \
  --set currency=eur --set confirm=true --set off_session=true \
  --set 'automatic_payment_methods[enabled]=true' \
  --set 'automatic_payment_methods[allow_redirects]=never' \
  --wait "$@"
