-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT
  CAST(shop_payment.created_at AS date) AS day,
  shop_payment.status AS status,
  COUNT(*) AS payments
FROM public.shop_payment
WHERE true
  [[AND {{period}}]]
  [[AND shop_payment.order_id IN (SELECT shop_order.id FROM public.shop_order WHERE {{region}})]]
GROUP BY 1, 2
ORDER BY 1, 2
