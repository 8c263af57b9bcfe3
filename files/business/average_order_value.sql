-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT COALESCE(ROUND(AVG(shop_order.total_krw)), 0) AS average_order_value
FROM public.shop_order
WHERE shop_order.status = 'paid'
  [[AND {{period}}]]
  [[AND {{region}}]]
