-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT shop_payment.failure_reason AS reason, COUNT(*) AS payments
FROM public.shop_payment
WHERE shop_payment.status = 'failed'
  [[AND {{period}}]]
  [[AND shop_payment.order_id IN (SELECT shop_order.id FROM public.shop_order WHERE {{region}})]]
GROUP BY 1
ORDER BY 2 DESC, 1
